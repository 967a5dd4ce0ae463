/** `memspool audit`: which records left the full queue, and how many in all. Reads only. */
import { Command } from "commander";
import type { AuditPage } from "../memory/memory.ts";
import { PAGE_LIMIT_MAX } from "../record/limits.ts";
import {
  type CommandContext,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { noteIncompleteness } from "./incompleteness.ts";
import { examples, wholeNumber } from "./option-values.ts";
import { counted, oneLine, shortBytes, shortTime } from "./printable.ts";

interface AuditOptions extends GlobalOptions {
  readonly limit?: number;
  readonly cursor?: string;
}

export function auditCommand(run: RunCommand): Command {
  const command = new Command("audit")
    .description("Show which records left the full queue, newest first, and how many did")
    .option("--limit <count>", "most records", wholeNumber(1, PAGE_LIMIT_MAX))
    .option("--cursor <cursor>", "continue a list where it stopped")
    .addHelpText(
      "after",
      `
A record is spilled (moved aside, and stored later) or dropped (lost on purpose,
where queue.overflow is drop-oldest).
${examples("memspool audit", "memspool audit --limit 5", "memspool audit --json")}`,
    );
  return command.action(() => {
    const options = command.optsWithGlobals<AuditOptions>();
    return run(options, (context) => show(context, options));
  });
}

async function show({ output, withApp }: CommandContext, options: AuditOptions): Promise<number> {
  const { limit, cursor } = options;
  const page = await withApp(({ memory }) =>
    memory.audited({
      ...(limit === undefined ? {} : { limit }),
      ...(cursor === undefined ? {} : { cursor }),
    }),
  );
  if (output.json) {
    output.document(page);
    return EXIT_OK;
  }
  if (page.entries.length > 0) {
    await output.table(
      [
        { head: "record", width: 28 },
        { head: "what became of it", width: 20 },
        { head: "captured", width: 19 },
        { head: "pending then" },
      ],
      page.entries.map((entry) => [
        oneLine(entry.dropped_ulid),
        `${entry.disposition}\n${shortTime(entry.ts)}`,
        oneLine(shortTime(entry.appended_at)),
        String(entry.queue_size_before_prune),
      ]),
    );
  }
  for (const line of totalLines(page)) output.line(line);
  noteIncompleteness(output, page);
  return EXIT_OK;
}

function totalLines({ totals }: AuditPage): string[] {
  const { deleted } = totals;
  if (totals.files === 0 && deleted.files === 0) return ["No record ever left a full queue."];
  const lines = [
    `${totals.spilled} spilled, ${totals.dropped} dropped; ` +
      `${counted(totals.files, "file")}, ${shortBytes(totals.bytes)}${damage(totals.damaged)}`,
  ];
  if (deleted.files > 0 || deleted.incomplete) {
    const atLeast = deleted.incomplete ? "at least " : "";
    lines.push(
      `before that, by the checkpoint of deleted files: ${atLeast}${deleted.spilled} spilled, ` +
        `${deleted.dropped} dropped; ${counted(deleted.files, "file")}, ` +
        `${shortBytes(deleted.bytes)}${damage(deleted.damaged)}`,
    );
  }
  return lines;
}

function damage(lines: number): string {
  return lines === 0 ? "" : `, ${counted(lines, "damaged line")}`;
}
