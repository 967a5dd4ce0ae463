/**
 * One operation through all its deaths: lists its steps by a run that lives, then lets a process
 * die at each of them, its recovery too, and sums up what the judge found.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { LONG_FORM } from "./crash-table.ts";
import type { DeathMoment, MortalTask } from "./mortal-child.ts";
import { type MortalOperation, RECOVERY } from "./mortal-operations.ts";
import {
  copyDisk,
  finishAndJudge,
  LATER_MS,
  type MortalRun,
  type Prepared,
  runMortal,
  type Verdict,
} from "./mortal-runs.ts";

export interface Findings {
  /** Processes that died at a step of the operation. */
  deaths: number;
  /** Processes that died while they recovered from that. */
  recoveryDeaths: number;
  readonly lost: string[];
  readonly altered: string[];
  readonly twice: string[];
  readonly rubbish: string[];
}

export interface Death {
  readonly at: number;
  readonly when: DeathMoment;
  /** Of the call, for messages. */
  readonly step: string;
}

const SIDE_BY_SIDE = 2;
/** A recovery has fewer steps than this, or does not end. */
const RECOVERY_DEATHS_MAX = LONG_FORM ? 60 : 1;
const COUNTED: MortalTask["counted"] = LONG_FORM ? "every" : "changing";

export interface MortalBench {
  readonly bundle: string;
  /** An empty directory that the test removes. */
  readonly scratch: string;
}

let homes = 0;

/** Deaths of an operation: after each step, in the midst of each write, in the long form before too. */
export async function deathsOf(
  bench: MortalBench,
  operation: MortalOperation,
  prepared: Prepared,
): Promise<Death[]> {
  const home = freshHome(bench, prepared);
  const { steps, ended } = await runMortal(bench.bundle, {
    operation: operation.name,
    home,
    clockAheadMs: 0,
    counted: COUNTED,
  });
  if (!ended) throw new Error(`${operation.name} does not end although nobody kills it`);
  return steps.flatMap((step, index) => {
    const moments: DeathMoment[] = ["after"];
    if (step.startsWith("write")) moments.unshift("midway");
    if (LONG_FORM || index === 0) moments.unshift("before");
    return moments.map((when) => ({ at: index + 1, when, step }));
  });
}

/** Lets processes die by the hook in the child, at each of the deaths. */
export async function dieAtEach(
  bench: MortalBench,
  operation: MortalOperation,
  prepared: Prepared,
  deaths: readonly Death[],
): Promise<Findings> {
  const dying = deaths.map(({ at, when, step }) => ({
    what: `${operation.name}, ${when} ${step}`,
    die: (home: string) =>
      runMortal(bench.bundle, {
        operation: operation.name,
        home,
        clockAheadMs: 0,
        counted: COUNTED,
        death: { at, when },
      }),
  }));
  return dieAndJudge(bench, prepared, dying);
}

/** @param dying each lets one process work on the directory and die there */
export async function dieAndJudge(
  bench: MortalBench,
  prepared: Prepared,
  dying: readonly { readonly what: string; readonly die: (home: string) => Promise<MortalRun> }[],
): Promise<Findings> {
  const findings: Findings = {
    deaths: 0,
    recoveryDeaths: 0,
    lost: [],
    altered: [],
    twice: [],
    rubbish: [],
  };
  const waiting = [...dying];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const home = freshHome(bench, prepared);
      const run = await next.die(home);
      if (run.ended) continue; // its threads took turns so that it had fewer steps this time
      findings.deaths++;
      findings.recoveryDeaths += await dieRecovering(bench, home);
      note(findings, next.what, await finishAndJudge(home, prepared, run));
      rmSync(home, { recursive: true });
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
  return findings;
}

/**
 * Lets recovery die after its first step, the next one after what is then the first, and so on:
 * each state that a death in the midst of recovery can leave is seen once.
 */
async function dieRecovering(bench: MortalBench, home: string): Promise<number> {
  for (let deaths = 0; deaths < RECOVERY_DEATHS_MAX; deaths++) {
    const run = await runMortal(bench.bundle, {
      operation: RECOVERY.name,
      home,
      clockAheadMs: LATER_MS,
      counted: "changing",
      death: { at: 1, when: "after" },
    });
    if (run.ended) return deaths;
  }
  return RECOVERY_DEATHS_MAX;
}

function note(findings: Findings, what: string, verdict: Verdict): void {
  for (const kind of ["lost", "altered", "twice", "rubbish"] as const) {
    findings[kind].push(...verdict[kind].map((one) => `${what}: ${one}`));
  }
}

function freshHome(bench: MortalBench, prepared: Prepared): string {
  const home = join(bench.scratch, `home-${++homes}`);
  copyDisk(prepared, home);
  return home;
}
