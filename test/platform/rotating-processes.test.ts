import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, watch } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { LOCK_STALE_MS } from "../../src/platform/rotation-lock.ts";
import { bundled } from "../store/bundled.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { allLines, logNames, openLogBench } from "../support/log-bench.ts";
import { numberedLine, readNumberedLine } from "../support/numbered-line.ts";

const WRITERS = ["a", "b", "c"];
const LINES = 4_000;
/** Makes about 70 rotations. */
const FILE_BYTES_MAX = 24_000;
/** More than it comes to before it is killed; the files are larger, so that nothing is deleted. */
const VICTIM_LINES = 30_000;
const VICTIM_FILE_BYTES_MAX = 70_000;

interface Writer {
  readonly name: string;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  complaint: string;
  /** Numbers of the lines whose append returned. */
  readonly reported: () => number[];
}

function startWriter(
  script: string,
  path: string,
  name: string,
  { lines = LINES, fileBytesMax = FILE_BYTES_MAX } = {},
): Writer {
  const report = join(path, "..", `report-${name}`);
  const args = [script, path, report, name, String(lines), String(fileBytesMax)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const writer: Writer = {
    name,
    child,
    ended: once(child, "close"),
    complaint: "",
    reported: () =>
      (existsSync(report) ? readFileSync(report, "utf8").trim().split("\n") : []).map(Number),
  };
  child.stderr?.on("data", (chunk) => {
    writer.complaint += chunk;
  });
  return writer;
}

interface Count {
  readonly torn: number;
  readonly doubled: number;
  /** Reported and not there. */
  readonly lost: number;
}

/** Compares what the writers were told with what all files of the log hold. */
function compare(path: string, writers: readonly Pick<Writer, "name" | "reported">[]): Count {
  const seen = new Map<string, number>();
  let torn = 0;
  for (const text of allLines(path)) {
    const read = readNumberedLine(text);
    if (!read) torn++;
    else seen.set(`${read.writer}/${read.n}`, (seen.get(`${read.writer}/${read.n}`) ?? 0) + 1);
  }
  const lost = writers.flatMap(({ name, reported }) =>
    reported().filter((n) => !seen.has(`${name}/${n}`)),
  );
  return { torn, doubled: [...seen.values()].filter((n) => n > 1).length, lost: lost.length };
}

describe("several processes on one log", () => {
  it("L2: 3 processes × 4,000 lines through their own rotations: none lost, doubled or torn", async () => {
    const script = await bundled("test/support/rotating-writer.ts");
    const path = join(freshDirectory(), "m.log");
    const writers = WRITERS.map((name) => startWriter(script, path, name));
    await Promise.all(writers.map(({ ended }) => ended));
    expect(writers.map(({ child, complaint }) => [child.exitCode, complaint])).toEqual(
      writers.map(() => [0, ""]),
    );
    expect(writers.map(({ reported }) => reported().length)).toEqual([LINES, LINES, LINES]);
    expect(compare(path, writers)).toEqual({ torn: 0, doubled: 0, lost: 0 });
    expect(logNames(path).length).toBeGreaterThan(20);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it("L2: one of them killed in the midst: every line that was reported is there once and whole", async () => {
    const script = await bundled("test/support/rotating-writer.ts");
    for (let round = 1; round <= 3; round++) {
      const path = join(freshDirectory(), "m.log");
      const fileBytesMax = VICTIM_FILE_BYTES_MAX;
      const victim = startWriter(script, path, "a", { lines: VICTIM_LINES, fileBytesMax });
      const others = ["b", "c"].map((name) => startWriter(script, path, name, { fileBytesMax }));
      const writers = [victim, ...others];
      await grown(join(path, "..", "report-a"), round * 2_500);
      victim.child.kill("SIGKILL");
      await Promise.all(writers.map(({ ended }) => ended));
      expect(victim.reported().length).toBeLessThan(VICTIM_LINES);
      // A later writer brings home what the dead one may have had in its hands.
      openLogBench({ path, aheadMs: 2 * LOCK_STALE_MS }).log.open();
      expect(compare(path, writers)).toEqual({ torn: 0, doubled: 0, lost: 0 });
      expect(writers.map(({ complaint }) => complaint)).toEqual(["", "", ""]);
    }
  });

  it("control: the comparison sees lines that are lost, doubled and torn", () => {
    const path = join(freshDirectory(), "m.log");
    const { log } = openLogBench({
      path,
      limits: { fileBytesMax: 400, backupsMax: 9, totalBytesMax: 9_000 },
    });
    for (const n of [0, 1, 1, 2]) log.append(numberedLine("a", n));
    log.append(numberedLine("a", 4).slice(0, 20));
    const told = { name: "a", reported: () => [0, 1, 2, 3] };
    expect(compare(path, [told])).toEqual({ torn: 1, doubled: 1, lost: 1 });
  });
});

/** Resolves when the file has at least so many bytes. */
async function grown(path: string, bytes: number): Promise<void> {
  const directory = join(path, "..");
  const watcher = watch(directory);
  try {
    while (!existsSync(path) || statSync(path).size < bytes) await once(watcher, "change");
  } finally {
    watcher.close();
  }
}
