import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OverflowPolicy } from "../../src/queue/room.ts";
import { addCrashRow, rounds } from "../support/crash-table.ts";
import { QUEUE_COMMANDS, type QueueCommand } from "./queue-commands.ts";
import { QueueModel, QueueWorld, type Sabotage } from "./queue-model.ts";

const COMMANDS_MAX = 30;
const TIMEOUT_MS = rounds(60_000, 600_000);
const TIME_LIMIT_MS = rounds(5_000, 60_000);
const { MEMSPOOL_MODEL_SEED } = process.env;
/** fast-check prints it with a failure; MEMSPOOL_MODEL_SEED repeats it. */
const SEED = MEMSPOOL_MODEL_SEED === undefined ? {} : { seed: Number(MEMSPOOL_MODEL_SEED) };

/** Runs random commands on a fresh queue and on the model of it. */
function agreement(policy: OverflowPolicy, counted: { runs: number }, sabotage?: Sabotage) {
  const commands = fc.commands([...QUEUE_COMMANDS], { maxCommands: COMMANDS_MAX, size: "medium" });
  return fc.asyncProperty(commands, async (sequence: Iterable<QueueCommand>) => {
    counted.runs++;
    const world = await QueueWorld.open(policy, sabotage);
    try {
      await fc.asyncModelRun(() => ({ model: new QueueModel(policy), real: world }), sequence);
    } finally {
      await world.close();
    }
  });
}

/** A disagreement ends the run, whatever it is about: it counts as one loss. */
function harmOf({ failed }: { readonly failed: boolean }) {
  return { lost: failed ? 1 : 0, altered: 0, twice: 0 };
}

describe("any sequence of operations agrees with a model of the queue", () => {
  it.each<[OverflowPolicy]>([["spill"], ["reject"], ["drop-oldest"]])(
    "Q11: with the policy %s",
    async (policy) => {
      const counted = { runs: 0 };
      const details = await fc.check(agreement(policy, counted), {
        ...SEED,
        numRuns: rounds(150, 4_000),
        interruptAfterTimeLimit: TIME_LIMIT_MS,
      });
      addCrashRow({
        rig: "model",
        operation: `random operations, ${policy}`,
        fault: "restart, clock steps, damage, failing and refusing handlers, a full queue",
        tried: counted.runs,
        ...harmOf(details),
      });
      const cause = details.failed ? `\n${String(details.errorInstance)}` : "";
      const report = `${await fc.asyncDefaultReportMessage(details)}${cause}`;
      expect(details.failed, report).toBe(false);
      expect(counted.runs).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

/** Says of a batch that all of it is in, and forgets its last record. */
const forgetful: Sabotage = (honest) => async (items) => {
  if (items.length < 2) return honest(items);
  const result = await honest(items.slice(0, -1));
  const last = items.at(-1) as (typeof items)[number];
  return { ...result, inserted: [...result.inserted, last.ulid] };
};

describe("the model test catches", () => {
  it(
    "I1: a store that forgets one record of a batch, and shrinks it to two appends and a drain",
    async () => {
      const counted = { runs: 0 };
      const details = await fc.check(agreement("spill", counted, forgetful), {
        ...SEED,
        numRuns: 500,
        interruptAfterTimeLimit: TIME_LIMIT_MS,
      });
      const [sequence = []] = (details.counterexample ?? []) as Iterable<QueueCommand>[];
      const steps = [...sequence].map(String).filter((step) => step !== "");
      addCrashRow({
        rig: "model",
        operation: "random operations, spill",
        fault: "a store that forgets one record of a batch",
        tried: counted.runs,
        ...harmOf(details),
        caught: details.failed,
      });
      expect(details.failed).toBe(true);
      expect(steps.at(-1)).toBe("drain()");
      expect(steps.length).toBeLessThanOrEqual(5);
    },
    TIMEOUT_MS,
  );
});
