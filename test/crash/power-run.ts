/**
 * Records an operation, cuts the power in every way that the model knows, and lets recovery and a
 * drain run on what is left; also when they are cut off themselves.
 *
 * Guarantees: each state is written to a directory of its own, the code that runs on it is the real
 * one, and the judgement is made from files and rows before and after it.
 */
import { linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sabotage } from "./broken-variants.ts";
import {
  type CrashWorld,
  DurableRows,
  EVERYTHING_IS_OLD_MS,
  plainSeams,
  ShiftedClock,
  type StoreChange,
  Truth,
  worldAt,
} from "./crash-world.ts";
import { drain } from "./operation-steps.ts";
import type { Operation } from "./operations.ts";
import {
  judgeArchive,
  judgeForgotten,
  judgeLedger,
  judgeRecords,
  judgeVisible,
  lookAround,
  type Violation,
} from "./oracle.ts";
import { type CrashState, crashStates, drawnState } from "./power-model.ts";
import { PowerTrace } from "./power-trace.ts";

export interface PowerBounds {
  readonly statesMax: number;
  /** Drawn at a moment that has too many combinations for all of them. */
  readonly drawsMax: number;
  /** One state of so many has its recovery cut off too. */
  readonly secondCutEvery: number;
  /** Ends once each of these was seen. */
  readonly wanted?: readonly Violation["kind"][];
}

export interface PowerTally {
  readonly states: number;
  /** States of an interrupted recovery among them. */
  readonly secondCuts: number;
  readonly violations: readonly (Violation & { readonly tick: number })[];
}

let homeNumber = 0;

export async function cutPower(
  scratch: string,
  operation: Operation,
  random: () => number,
  bounds: PowerBounds,
  sabotage: Sabotage = (seams) => seams,
): Promise<PowerTally> {
  const world = worldAt(newHome(scratch));
  await operation.prepare(world);
  const before = new Map(world.truth.acknowledged);
  const orderedBefore = [...world.truth.ordered];
  const rowsBefore = [...world.store.kept];
  const trace = new PowerTrace(world, plainSeams(world));
  await operation.run(world, sabotage(trace.seams, world));
  rmSync(world.home, { recursive: true });
  let states = 0;
  let secondCuts = 0;
  const violations: (Violation & { tick: number })[] = [];
  for (const state of crashStates(trace, random, bounds.drawsMax)) {
    if (states >= bounds.statesMax) break;
    states++;
    const second = states % bounds.secondCutEvery === 0 ? random : undefined;
    const parts: StateParts = {
      scratch,
      operation,
      state,
      before,
      orderedBefore,
      rowsBefore,
      world,
    };
    const found = await tryState(parts, second);
    if (second) secondCuts++;
    violations.push(...found.map((violation) => ({ ...violation, tick: state.tick })));
    if (bounds.wanted?.every((kind) => violations.some((one) => one.kind === kind))) break;
  }
  return { states: states + secondCuts, secondCuts, violations };
}

interface StateParts {
  readonly scratch: string;
  readonly operation: Operation;
  readonly state: CrashState;
  readonly before: ReadonlyMap<string, string>;
  readonly orderedBefore: readonly string[];
  readonly rowsBefore: readonly StoreChange[];
  /** The world of the recorded run: what was given in and what was damaged. */
  readonly world: CrashWorld;
}

/** @param second where given, recovery and drain are cut off too, at a moment that chance picks */
async function tryState(
  parts: StateParts,
  second: (() => number) | undefined,
): Promise<Violation[]> {
  const { operation, state, rowsBefore } = parts;
  const world = restored(parts, state, [...rowsBefore, ...state.rows]);
  const found = lookAround(world);
  const violations = [
    ...judgeVisible(world, found),
    ...judgeRecords(world, found),
    ...judgeForgotten(world, found),
  ];
  if (operation.archives) {
    violations.push(...judgeArchive(world, found), ...judgeLedger(world, found));
  }
  const clock = new ShiftedClock(EVERYTHING_IS_OLD_MS);
  if (second) {
    const rows = [...world.store.kept];
    const trace = new PowerTrace(world, plainSeams(world, clock));
    await drain(world, trace.seams);
    const left = drawnState(trace, second);
    const again = restored(parts, left, [...rows, ...left.rows]);
    violations.push(...(await finish(again, operation, clock)));
    rmSync(again.home, { recursive: true });
  } else {
    violations.push(...(await finish(world, operation, clock)));
  }
  rmSync(world.home, { recursive: true });
  return violations;
}

/** Recovery and drain to the end; then everything is in the store or set aside, once. */
async function finish(
  world: CrashWorld,
  operation: Operation,
  clock: ShiftedClock,
): Promise<Violation[]> {
  await drain(world, plainSeams(world, clock));
  const { truth } = world;
  // The drain has carried out whatever was ordered.
  truth.forgetting("forgotten", [...truth.ordered]);
  const found = lookAround(world);
  const violations = [...judgeRecords(world, found), ...judgeForgotten(world, found)];
  if (operation.archives) violations.push(...judgeArchive(world, found));
  if (found.pending.size + found.spilled.size > 0) {
    violations.push({ kind: "left behind", what: [...found.pending.keys()].join() });
  }
  for (const what of truth.broken) violations.push({ kind: "outcome", what });
  return violations;
}

/** The state as a data directory, with the truth of the moment of the cut. */
function restored(
  parts: StateParts,
  { directories, files }: CrashState,
  rows: readonly StoreChange[],
): CrashWorld {
  const home = newHome(parts.scratch);
  for (const path of directories) mkdirSync(join(home, path), { recursive: true });
  for (const { paths, bytes } of files) {
    const [first, ...others] = paths as [string, ...string[]];
    writeFileSync(join(home, first), bytes);
    for (const other of others) linkSync(join(home, first), join(home, other));
  }
  const truth = new Truth();
  for (const text of parts.world.truth.submitted) truth.submitted.add(text);
  for (const [ulid, bytes] of parts.world.truth.damaged) truth.damaged.set(ulid, bytes);
  for (const [ulid, text] of [...parts.before, ...parts.state.acknowledged]) {
    truth.acknowledged.set(ulid, text);
  }
  truth.forgetting("ordered", parts.orderedBefore);
  for (const { stage, ulids } of parts.state.notices) truth.forgetting(stage, ulids);
  return worldAt(home, new DurableRows(rows), truth);
}

function newHome(scratch: string): string {
  homeNumber++;
  const home = join(scratch, `power-${homeNumber}`);
  mkdirSync(home);
  return home;
}
