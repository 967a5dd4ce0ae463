import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundleChild } from "../support/bundled-child.ts";
import { addCrashRow, rounds } from "../support/crash-table.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { BROKEN, type MortalOperation, OPERATIONS } from "../support/mortal-operations.ts";
import {
  type Death,
  deathsOf,
  dieAndJudge,
  dieAtEach,
  type Findings,
  type MortalBench,
} from "../support/mortal-rounds.ts";
import { copyDisk, prepare, runMortal } from "../support/mortal-runs.ts";
import { needStrace } from "../support/strace.ts";

const RIG = "die at every step";
const TIME_MAX_MS = rounds(120_000, 1_800_000);

async function benchFor(): Promise<MortalBench> {
  return { bundle: await bundleChild("mortal-child", freshDirectory()), scratch: freshDirectory() };
}

function harm({ lost, altered, twice, rubbish }: Findings) {
  return { lost, altered, twice, rubbish };
}
const NO_HARM = { lost: [], altered: [], twice: [], rubbish: [] };

function addRow(operation: string, fault: string, findings: Findings, caught?: boolean): void {
  const { deaths, recoveryDeaths, lost, altered, twice } = findings;
  const tried = deaths + recoveryDeaths;
  const counts = { lost: lost.length, altered: altered.length, twice: twice.length };
  addCrashRow({
    rig: RIG,
    operation,
    fault,
    tried,
    ...counts,
    ...(caught === undefined ? {} : { caught }),
  });
  process.stderr.write(`${RIG}: ${operation}, ${fault}: ${tried} deaths\n`);
}

async function everyDeath(operation: MortalOperation): Promise<{ deaths: Death[]; f: Findings }> {
  const bench = await benchFor();
  const prepared = await prepare(operation, join(freshDirectory(), "home"));
  const deaths = await deathsOf(bench, operation, prepared);
  return { deaths, f: await dieAtEach(bench, operation, prepared, deaths) };
}

describe("SIGKILL beside every file call", () => {
  it.each(OPERATIONS)(
    "Q12: $name, and the recovery after it",
    async (operation) => {
      const { deaths, f } = await everyDeath(operation);
      expect(harm(f)).toEqual(NO_HARM);
      // A death that did not happen showed nothing. Threads take turns differently from run to run,
      // and captures that share a directory fsync make fewer calls.
      const missedMax = Math.max(2, Math.ceil(deaths.length / 10));
      expect(f.deaths).toBeGreaterThanOrEqual(deaths.length - missedMax);
      expect(f.deaths).toBeGreaterThan(3);
      addRow(operation.name, "SIGKILL by step", f);
    },
    TIME_MAX_MS,
  );

  it.each(BROKEN)(
    "the rig catches: $name",
    async (operation) => {
      const { f } = await everyDeath(operation);
      const caught = f.lost.length + f.altered.length + f.twice.length > 0;
      expect(caught).toBe(true);
      addRow(operation.brokenFormOf ?? "", operation.name, f, caught);
    },
    TIME_MAX_MS,
  );
});

/** Calls that the database and the atomic rewrite make themselves, unseen by the hook. */
const KERNEL_CALLS = ["pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "rename", "link"];

/** How often the busiest thread makes each call. */
function callCounts(trace: string): Map<string, number> {
  const perThread = new Map<string, number>();
  const most = new Map<string, number>();
  for (const [, thread, name] of trace.matchAll(/^(\d+) +([a-z0-9]+)\(/gm)) {
    const count = (perThread.get(`${thread} ${name}`) ?? 0) + 1;
    perThread.set(`${thread} ${name}`, count);
    most.set(name as string, Math.max(most.get(name as string) ?? 0, count));
  }
  return most;
}

describe("SIGKILL by the kernel instead of a system call", () => {
  it.for(["ingest by batch", "ingest by record"])(
    "I1: %s, at the database's own calls too",
    { timeout: TIME_MAX_MS },
    async (name, context) => {
      needStrace(context);
      const operation = OPERATIONS.find((one) => one.name === name) as MortalOperation;
      const bench = await benchFor();
      const prepared = await prepare(operation, join(freshDirectory(), "home"));
      const task = (home: string) =>
        ({ operation: name, home, clockAheadMs: 0, counted: "changing" }) as const;
      const dry = join(bench.scratch, "dry");
      copyDisk(prepared, dry);
      const output = join(bench.scratch, "trace");
      const strace = ["strace", "-f", "-qq", "-e", `trace=${KERNEL_CALLS.join(",")}`];
      const { ended } = await runMortal(bench.bundle, task(dry), [...strace, "-o", output]);
      expect(ended).toBe(true);
      const counts = callCounts(readFileSync(output, "utf8"));
      expect(counts.get("pwrite64")).toBeGreaterThan(3);
      // The long form takes them all, the short one some of each.
      const stride = rounds(4, 1);
      const dying = [...counts].flatMap(([call, count]) =>
        Array.from({ length: count }, (_, n) => n + 1)
          .filter((when) => when % stride === 1 % stride || when === count)
          .map((when) => ({
            what: `${name}, instead of ${call} ${when}`,
            die: (home: string) =>
              runMortal(bench.bundle, task(home), [
                ...["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`],
                ...["-e", `inject=${call}:signal=SIGKILL:when=${when}`],
              ]),
          })),
      );
      const f = await dieAndJudge(bench, prepared, dying);
      expect(harm(f)).toEqual(NO_HARM);
      expect(f.deaths).toBeGreaterThan(dying.length / 2);
      addRow(operation.name, "SIGKILL by strace", f);
    },
  );
});
