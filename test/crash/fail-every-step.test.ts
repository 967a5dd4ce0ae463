import { describe, expect, it } from "vitest";
import { addCrashRow, LONG_FORM, rounds } from "../support/crash-table.ts";
import {
  closeForgotten,
  failedSyncRepeated,
  leftoverDenied,
  quarantinedUnlinkFirst,
  type Sabotage,
  shortWriteIgnored,
  unlinkedBeforeCommit,
} from "./broken-variants.ts";
import { scratchDirectory } from "./crash-world.ts";
import { failOnce } from "./fail-run.ts";
import { ERRNOS, type LoggedCall, type StepFault } from "./failing-seams.ts";
import { OPERATIONS, operationNamed } from "./operations.ts";
import type { Violation } from "./oracle.ts";
import { memoryRoot } from "./unsynced-fs.ts";

const CALLS_MAX = 2_000;
const NEVER = 0;
const TIMEOUT_MS = rounds(60_000, 600_000);

/** The long form tries every error at every call; the short one takes them in turns. */
function errnosFor(nth: number): readonly (typeof ERRNOS)[number][] {
  return ERRNOS.filter((_, index) => LONG_FORM || nth % ERRNOS.length === index);
}

/** Calls that change nothing: a lost answer is a failure like any other. */
const LOOKS = /^(?:facts|identity|names|read|size|linkCount|open(?:Read|Directory))/;

/** What can befall the call that was met: only a write is short, only a promise is held. */
function faultsOf({ method, waits }: LoggedCall, nth: number): StepFault[] {
  const faults: StepFault[] = [];
  const looks = LOOKS.test(method);
  for (const kind of errnosFor(nth)) {
    if (LONG_FORM || !looks || nth % 2 === 0) faults.push({ kind, persistent: true });
    if (LONG_FORM || !looks || nth % 2 === 1) faults.push({ kind, persistent: false });
  }
  if (!looks) faults.push({ kind: "answer lost", persistent: false });
  if (method === "write") {
    faults.push({ kind: "short write", persistent: false });
    faults.push({ kind: "short write", persistent: true });
  }
  if (waits) faults.push({ kind: "delay", persistent: false });
  return faults;
}

interface Tally {
  tried: number;
  readonly violations: (Violation & { readonly at: string })[];
}

/**
 * Fails the first call, the second, and so on to the last that any run came to.
 * @param wanted ends at the first violation of this kind
 */
async function failEveryStep(
  name: string,
  sabotage?: Sabotage,
  wanted?: Violation["kind"],
): Promise<Tally> {
  const scratch = scratchDirectory(memoryRoot());
  const operation = operationNamed(name);
  const tally: Tally = { tried: 0, violations: [] };
  // Learnt without a fault, and made longer whenever a fault leads further.
  const { calls } = await failOnce(scratch, operation, NEVER, undefined, sabotage);
  for (let nth = 1; nth <= calls.length; nth++) {
    for (const fault of faultsOf(calls[nth - 1] as LoggedCall, nth)) {
      const run = await failOnce(scratch, operation, nth, fault, sabotage);
      calls.push(...run.calls.slice(calls.length));
      if (run.calls.length >= nth) tally.tried++;
      const how = `${fault.kind}${fault.persistent ? " from then on" : ""}`;
      const at = `call ${nth} (${run.calls[nth - 1]?.method}), ${how}`;
      tally.violations.push(...run.violations.map((violation) => ({ ...violation, at })));
    }
    if (tally.violations.some(({ kind }) => kind === wanted)) break;
    if (calls.length > CALLS_MAX) throw new Error(`${name} makes more than ${CALLS_MAX} calls`);
  }
  return tally;
}

function row(operation: string, fault: string, { tried, violations }: Tally) {
  const count = (kind: Violation["kind"]) =>
    violations.filter((violation) => violation.kind === kind).length;
  return {
    rig: "fail every step",
    operation,
    fault,
    tried,
    lost: count("lost") + count("ledger"),
    altered: count("altered") + count("torn"),
    twice: count("twice"),
  };
}

describe("every call fails, once and from then on", () => {
  it.each(OPERATIONS.map(({ name }) => name))(
    "Q4: %s: fails as promised, nothing torn is seen, nothing is lost, and the next call works",
    async (name) => {
      const tally = await failEveryStep(name);
      addCrashRow(row(name, `${ERRNOS.join(", ")}, answer lost, short write, delay`, tally));
      const found = tally.violations.map(({ at, kind, what }) => `${at}: ${kind}, ${what}`);
      expect(found.slice(0, 10)).toEqual([]);
      expect(tally.tried).toBeGreaterThan(20);
    },
    TIMEOUT_MS,
  );
});

describe("the rig of failing calls catches", () => {
  it.each<[string, string, Sabotage, Violation["kind"]]>([
    ["a short write that is ignored", "capture", shortWriteIgnored, "torn"],
    ["a failed fsync repeated on its descriptor", "capture", failedSyncRepeated, "fsync"],
    ["a leftover of what was refused", "capture", leftoverDenied, "came back"],
    ["a descriptor left open after a failure", "capture", closeForgotten, "descriptor"],
    ["an unlink before the commit", "ingest by batch", unlinkedBeforeCommit, "lost"],
    ["an unlink before quarantine", "quarantine by batch", quarantinedUnlinkFirst, "lost"],
  ])(
    "Q4: %s",
    async (variant, name, sabotage, kind) => {
      const tally = await failEveryStep(name, sabotage, kind);
      const seen = new Set(tally.violations.map((violation) => violation.kind));
      addCrashRow({ ...row(name, variant, tally), caught: seen.has(kind) });
      expect([...seen]).toContain(kind);
    },
    TIMEOUT_MS,
  );
});
