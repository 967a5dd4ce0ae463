/**
 * A program that audits victims in batches, and writes the number of each line to a file of its own
 * once the batch is recorded. Its files are small, so that backups are deleted all the time.
 *
 * Arguments: queue directory, report, first number, lines.
 */
import { openSync, writeSync } from "node:fs";
import { AuditLog } from "../../src/queue/audit-log.ts";
import { queueLayout } from "../../src/queue/layout.ts";

const BATCH = 3;

const [queueDir, report, first, lines] = process.argv.slice(2) as [string, string, string, string];
const reportFd = openSync(report, "w");
const audit = new AuditLog({
  layout: queueLayout(queueDir),
  limits: { fileBytesMax: 9_000, backupsMax: 3, totalBytesMax: 1_000_000 },
  events: {
    emit: (event, fields) => {
      if (event === "audit_rotation_failed") process.stderr.write(`${JSON.stringify(fields)}\n`);
    },
  },
});
for (let n = Number(first); n < Number(first) + Number(lines); n += BATCH) {
  const batch = Array.from({ length: BATCH }, (_, index) => n + index);
  audit.record(
    "spilled",
    batch.map((number) => ({
      ulid: `01JQ7Z8X9YABCDEFGHJK${String(number).padStart(6, "0")}`,
      appendedAt: "2026-03-01T09:30:00.000Z",
      sha256: number.toString(16).padStart(64, "0"),
    })),
    100,
  );
  writeSync(reportFd, `${batch.join("\n")}\n`);
}
audit.close();
