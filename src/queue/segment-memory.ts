/**
 * What one process knows of the segments that could not go yet, and what it does with a record of
 * one that fails: attempts in memory, then quarantine. For both ways of ingesting.
 *
 * Guarantees: a record counts as settled here only when the caller says so or its bytes are durable
 * in quarantine. Lost with the process: attempts then begin again.
 */
import { type MarkState, NO_ATTEMPTS } from "./mark-state.ts";
import { quarantineBytes } from "./quarantine-spilled.ts";
import type { ReadEnvelope } from "./read-envelope.ts";
import { withReserve } from "./reserve.ts";
import { nextAttempt } from "./retry-schedule.ts";
import { codeOf, reasonOf, type SetAsideParts } from "./set-aside.ts";
import type { SegmentName } from "./spill-segment.ts";

export interface SegmentMemory {
  /** Ids that need nothing more. */
  readonly settled: Set<string>;
  /** Of the settled ones those that are in quarantine, with the failure and the attempts. */
  readonly aside: Map<string, { readonly error: unknown; readonly attempts: number }>;
  /** What failed records have behind them. */
  readonly states: Map<string, MarkState>;
  /** Ids that failed alone, for no known reason, and how much was committed by then. */
  readonly alone: Map<string, number>;
}

export type SpilledRecord = Pick<ReadEnvelope, "ulid" | "bytes">;

/** "there already": these bytes lay in quarantine before. */
export type SetAsideSpilled = "quarantined" | "there already";

/** By segment, for as long as it lies there. */
export class SegmentMemories {
  readonly #memories = new Map<string, SegmentMemory>();

  /** Forgets all that are not among these: whoever finished them, they need no memory. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#memories.keys()) if (!names.has(name)) this.#memories.delete(name);
  }

  of({ name }: SegmentName): SegmentMemory {
    const memory = this.#memories.get(name) ?? {
      settled: new Set(),
      aside: new Map(),
      states: new Map(),
      alone: new Map(),
    };
    this.#memories.set(name, memory);
    return memory;
  }

  forget({ name }: SegmentName): void {
    this.#memories.delete(name);
  }
}

/** One attempt of a record that is at fault itself; the last leads to quarantine. */
export function spendSpilled(
  parts: SetAsideParts,
  memory: SegmentMemory,
  record: SpilledRecord,
  error: unknown,
): SetAsideSpilled | "spent" {
  const { ulid } = record;
  const state = memory.states.get(ulid) ?? NO_ATTEMPTS;
  const faults = state.faults + 1;
  const next = nextAttempt(faults, parts.attemptsMax);
  if (next.kind === "quarantine") return setAsideSpilled(parts, memory, record, error, faults);
  const code = codeOf(error);
  const retryAtMs = parts.clock.nowMs() + next.waitMs;
  memory.states.set(ulid, { attempts: state.attempts + 1, faults, code, retryAtMs });
  const fields = { ulid, code, attempts: faults, retry_in_ms: next.waitMs };
  parts.events.emit("envelope_set_aside", fields);
  return "spent";
}

/**
 * Quarantines a record of a segment at once.
 * @throws the system error of the failing call; the segment must stay then
 */
export function setAsideSpilled(
  parts: SetAsideParts,
  memory: SegmentMemory,
  record: SpilledRecord,
  error: unknown,
  attempts: number,
): SetAsideSpilled {
  const { ulid } = record;
  const isNew = quarantineSpilled(parts, record, error, attempts);
  memory.aside.set(ulid, { error, attempts });
  memory.settled.add(ulid);
  if (!isNew) return "there already";
  parts.events.emit("capture_quarantined", { ulid, code: codeOf(error), attempts });
  return "quarantined";
}

/**
 * Makes sure, right before a segment goes, that what was set aside, in this pass or before, still
 * lies in quarantine: somebody may have sent it back into the queue since, and recovery may have
 * taken it from there again because this very segment held it.
 * @throws the system error of the failing call; the segment must stay then
 */
export function setAsideAgain(
  parts: SetAsideParts,
  memory: SegmentMemory,
  records: readonly SpilledRecord[],
): void {
  for (const record of records) {
    const known = memory.aside.get(record.ulid);
    if (known) quarantineSpilled(parts, record, known.error, known.attempts);
  }
}

/** False if these bytes lay there already. */
function quarantineSpilled(
  parts: SetAsideParts,
  { ulid, bytes }: SpilledRecord,
  error: unknown,
  attempts: number,
): boolean {
  const act = () => quarantineBytes(parts, ulid, bytes, reasonOf(error, attempts));
  return withReserve(parts, act) !== undefined;
}
