/**
 * One run of an operation with one fault, and everything that must be true afterwards.
 *
 * Guarantees: what it reports as a violation was seen on disk, in the store, in the call log or in
 * /proc/self/fd; a fault that was never met is told apart.
 */
import { mkdirSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Sabotage } from "./broken-variants.ts";
import {
  type CrashWorld,
  EVERYTHING_IS_OLD_MS,
  plainSeams,
  ShiftedClock,
  worldAt,
} from "./crash-world.ts";
import { FailingSeams, type LoggedCall, repeatedSyncs, type StepFault } from "./failing-seams.ts";
import { capture, drain, queueOf } from "./operation-steps.ts";
import type { Operation } from "./operations.ts";
import {
  judgeArchive,
  judgeForgotten,
  judgeRecords,
  judgeRefused,
  judgeVisible,
  lookAround,
  type Violation,
} from "./oracle.ts";

export interface FailRun {
  /** Fewer than N if the operation ended without coming to the Nth. */
  readonly calls: LoggedCall[];
  readonly violations: readonly Violation[];
}

let worldNumber = 0;

export async function failOnce(
  scratch: string,
  operation: Operation,
  nth: number,
  fault: StepFault | undefined,
  sabotage: Sabotage = (seams) => seams,
): Promise<FailRun> {
  worldNumber++;
  const home = join(scratch, `fail-${worldNumber}`);
  mkdirSync(home);
  const world = worldAt(home);
  await operation.prepare(world);
  const failing = new FailingSeams(plainSeams(world), nth, fault);
  const violations: Violation[] = [];
  try {
    await operation.run(world, sabotage(failing.seams, world));
  } catch (error) {
    violations.push({ kind: "outcome", what: `${operation.name} threw ${error}` });
  }
  failing.heal();
  const calls = [...failing.calls];
  if (calls.length >= nth) {
    violations.push(...judgeAtOnce(world, failing), ...(await judgeLater(world, operation)));
  }
  rmSync(home, { recursive: true });
  return { calls, violations };
}

function judgeAtOnce(world: CrashWorld, failing: FailingSeams): Violation[] {
  const found = lookAround(world);
  const open = openBelow(world.home);
  const repeated = repeatedSyncs(failing.calls);
  return [
    ...world.truth.broken.map((what): Violation => ({ kind: "outcome", what })),
    ...judgeVisible(world, found),
    ...judgeRecords(world, found),
    ...judgeForgotten(world, found),
    ...judgeRefused(world),
    ...open.map((what): Violation => ({ kind: "descriptor", what })),
    ...(repeated > 0 ? [{ kind: "fsync", what: `${repeated} repeated` } as const] : []),
  ];
}

/** The fault is gone: repeats, the next capture, recovery and a drain must all go well. */
async function judgeLater(world: CrashWorld, operation: Operation): Promise<Violation[]> {
  const { truth } = world;
  const queue = queueOf(world, plainSeams(world));
  const brokenBefore = truth.broken.length + truth.refused.length;
  for (const { ulid, text } of truth.unknown.splice(0)) {
    await capture(world, queue, { surface: text }, ulid);
  }
  await capture(world, queue, { surface: `the next one after ${operation.name}` });
  await queue.close();
  const violations: Violation[] = [];
  if (truth.unknown.length + truth.broken.length + truth.refused.length > brokenBefore) {
    violations.push({ kind: "outcome", what: "a capture after the fault failed" });
  }
  // Everything is in the store or in quarantine now, once, and what was refused is nowhere.
  await drain(world, plainSeams(world, new ShiftedClock(EVERYTHING_IS_OLD_MS)));
  truth.forgetting("forgotten", [...truth.ordered]);
  const found = lookAround(world);
  violations.push(...judgeRecords(world, found), ...judgeRefused(world));
  violations.push(...judgeForgotten(world, found));
  if (found.pending.size + found.spilled.size > 0) {
    violations.push({ kind: "left behind", what: [...found.pending.keys()].join() });
  }
  if (operation.archives) violations.push(...judgeArchive(world, found));
  return violations;
}

/** What this process still has open in the data directory; empty where that can not be told. */
function openBelow(home: string): string[] {
  const list = "/proc/self/fd";
  let names: string[];
  try {
    names = readdirSync(list);
  } catch {
    return []; // not Linux
  }
  return names.flatMap((name) => {
    try {
      const path = readlinkSync(join(list, name));
      return path.startsWith(home) ? [path] : [];
    } catch {
      return []; // the listing's own
    }
  });
}
