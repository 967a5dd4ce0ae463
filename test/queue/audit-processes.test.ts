import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, watch } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { LOCK_STALE_MS } from "../../src/platform/rotation-lock.ts";
import { readAudit } from "../../src/queue/audit-read.ts";
import type { QueueLayout } from "../../src/queue/layout.ts";
import { bundled } from "../store/bundled.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { freshAuditLayout, namesLike, openAudit, victim } from "../support/overflow-audit-bench.ts";

const WRITERS = 3;
const LINES = 600;
const BATCH = 3;

interface AuditWriter {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly report: string;
  complaint: string;
}

function startWriter(script: string, layout: QueueLayout, index: number): AuditWriter {
  mkdirSync(layout.dir, { recursive: true });
  const report = join(layout.dir, "..", `report-${index}`);
  const args = [script, layout.dir, report, String(index * LINES), String(LINES)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const writer: AuditWriter = { child, report, ended: once(child, "close"), complaint: "" };
  child.stderr?.on("data", (chunk) => {
    writer.complaint += chunk;
  });
  return writer;
}

function reported({ report }: AuditWriter): number {
  return existsSync(report) ? readFileSync(report, "utf8").split("\n").length - 1 : 0;
}

/** Lines of every id that lies there, and the sums. */
async function audited(layout: QueueLayout) {
  const seen = new Map<string, number>();
  const { here, gone, goneIncomplete } = await readAudit(nodeDurableFs, layout, {
    onLine: ({ dropped_ulid: id }) => seen.set(id, (seen.get(id) ?? 0) + 1),
  });
  const doubled = [...seen.values()].filter((count) => count > 1).length;
  return { here, gone, goneIncomplete, doubled };
}

describe("several processes on one audit log", () => {
  it("L2: 3 processes × 600 lines through their own rotations and deletions: every line counts once", async () => {
    const script = await bundled("test/support/overflow-audit-writer.ts");
    const layout = freshAuditLayout();
    const writers = Array.from({ length: WRITERS }, (_, n) => startWriter(script, layout, n));
    await Promise.all(writers.map(({ ended }) => ended));
    expect(writers.map(({ child, complaint }) => [child.exitCode, complaint])).toEqual(
      writers.map(() => [0, ""]),
    );
    const { here, gone, doubled, goneIncomplete } = await audited(layout);
    expect(gone.files).toBeGreaterThan(5);
    expect(here.damaged + gone.damaged + doubled).toBe(0);
    expect(goneIncomplete).toBe(false);
    expect(here.spilled + gone.spilled).toBe(WRITERS * LINES);
    expect(namesLike(layout, ".overflow-audit.checkpoint").length).toBeLessThanOrEqual(3);
    expect(namesLike(layout, ".tmp-")).toEqual([]);
  });

  it("L2: one of them killed amid it: what was acknowledged counts, at most its batch in hand more", async () => {
    const script = await bundled("test/support/overflow-audit-writer.ts");
    for (let round = 1; round <= 2; round++) {
      const layout = freshAuditLayout();
      const writers = Array.from({ length: WRITERS }, (_, n) => startWriter(script, layout, n));
      const [killed] = writers as [AuditWriter];
      await grown(killed.report, round * 500);
      killed.child.kill("SIGKILL");
      await Promise.all(writers.map(({ ended }) => ended));
      expect(reported(killed)).toBeLessThan(LINES);
      const clock = new ManualClock(Date.now() + 2 * LOCK_STALE_MS);
      openAudit(layout, { clock }).record("dropped", [victim(999_999)], 100);
      const { here, gone, goneIncomplete } = await audited(layout);
      const acknowledged = writers.reduce((sum, writer) => sum + reported(writer), 0);
      const counted = here.spilled + gone.spilled;
      expect(counted).toBeGreaterThanOrEqual(acknowledged);
      expect(counted).toBeLessThanOrEqual(acknowledged + BATCH);
      expect(goneIncomplete).toBe(false);
      expect(writers.map(({ complaint }) => complaint)).toEqual(["", "", ""]);
    }
  });
});

/** Resolves when the file has at least so many bytes. */
async function grown(path: string, bytes: number): Promise<void> {
  const watcher = watch(join(path, ".."));
  try {
    while (!existsSync(path) || statSync(path).size < bytes) await once(watcher, "change");
  } finally {
    watcher.close();
  }
}
