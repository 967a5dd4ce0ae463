/**
 * What happens to a batch of spilled records: commit, keep what is in the store, set aside what is
 * not. Their segment holds others, so nothing is unlinked here.
 *
 * Guarantees: a record counts as settled only when it is committed, archived, its line in the ledger
 * durable and its id recorded, or when its bytes are durable in quarantine. What the store refuses
 * stays in its segment and has the attempts and waits of any other; they are known to this process
 * alone. It is not put back into the queue: recovery takes a pending name away that the audit log
 * and a segment know, and the segment would then go without it. A conflict and a damaged line are
 * quarantined at once: no attempt can change them.
 */
import { type MarkState, NO_ATTEMPTS } from "../queue/mark-state.ts";
import { quarantineBytes } from "../queue/quarantine-spilled.ts";
import type { ReadEnvelope } from "../queue/read-envelope.ts";
import { nextAttempt } from "../queue/retry-schedule.ts";
import { codeOf, reasonOf } from "../queue/set-aside.ts";
import { keepBatch } from "../queue/settle.ts";
import type { SegmentFault } from "../queue/spill-segment.ts";
import type { MemoryStore } from "../store/memory-store.ts";
import { commitBisecting, isRefusal } from "./commit.ts";
import { conflictError, type SettleBatchParts, type SettledBatch } from "./commit-and-settle.ts";
import { leaveAlone } from "./leave-alone.ts";

/** A record that failed alone, for no known reason, is tried again after this. */
const ALONE_WAIT_MS = 60_000;

/** What is known of a segment that could not go yet. */
export interface SegmentMemory {
  /** Ids that need nothing more. */
  readonly settled: Set<string>;
  /** Of the settled ones those that are in quarantine, with the reason. */
  readonly aside: Map<string, { readonly error: unknown; readonly attempts: number }>;
  /** What failed records have behind them. */
  readonly states: Map<string, MarkState>;
  /** Ids that failed alone, for no known reason, and how much was committed by then. */
  readonly alone: Map<string, number>;
}

export function newSegmentMemory(): SegmentMemory {
  return { settled: new Set(), aside: new Map(), states: new Map(), alone: new Map() };
}

/**
 * @param memory notes what is settled and what has failed
 * @param committedCount records that this ingester has committed so far
 * @throws what openStore throws; MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; system errors of
 *   archive, ledger or high-water
 */
export async function commitSpilled(
  parts: SettleBatchParts,
  openStore: () => Promise<Pick<MemoryStore, "commitBatch">>,
  envelopes: readonly ReadEnvelope[],
  memory: SegmentMemory,
  committedCount: number,
): Promise<SettledBatch> {
  const suspects = new Set(memory.states.keys());
  const [only] = envelopes;
  // A lone record has no company that shows whose fault a failure is, and must not stop the others.
  const isAlone = envelopes.length === 1 && only !== undefined;
  if (isAlone) suspects.add(only.ulid);
  const committed = await commitBisecting(await openStore(), envelopes, suspects);
  // Crash here: rows and segment; they are recognised as duplicates next time.
  const inStore = new Set([...committed.inserted, ...committed.duplicates]);
  keepBatch(
    parts,
    envelopes.filter(({ ulid }) => inStore.has(ulid)),
  );
  for (const ulid of inStore) memory.settled.add(ulid);
  const byId = new Map(envelopes.map((envelope) => [envelope.ulid, envelope]));
  const bytesOf = (ulid: string) => byId.get(ulid)?.bytes ?? Buffer.alloc(0);
  const verdicts: Verdict[] = [];
  for (const { ulid, code, existing } of committed.conflicts) {
    const error = conflictError(ulid, code, existing);
    verdicts.push(
      trySettle(parts, memory, ulid, () => setAside(parts, memory, ulid, bytesOf(ulid), error, 1)),
    );
  }
  for (const { ulid, error } of committed.refused) {
    const isTheirs = !isAlone || isRefusal(error) || isKnownToFail(memory, ulid, committedCount);
    verdicts.push(
      isTheirs
        ? trySettle(parts, memory, ulid, () => spend(parts, memory, ulid, bytesOf(ulid), error))
        : waitForCompany(parts, memory, ulid, committedCount),
    );
  }
  const count = (wanted: Verdict) => verdicts.filter((verdict) => verdict === wanted).length;
  return {
    inserted: committed.inserted.length,
    duplicates: committed.duplicates.length,
    quarantined: count("quarantined"),
    skipped: count("skipped"),
    spent: count("spent"),
  };
}

type Verdict = "quarantined" | "there already" | "spent" | "skipped";

/** Others went in beside it, or after it had failed: the store works, so the failure is its own. */
function isKnownToFail(memory: SegmentMemory, ulid: string, committedCount: number): boolean {
  if ((memory.states.get(ulid)?.faults ?? 0) > 0) return true;
  const then = memory.alone.get(ulid);
  return then !== undefined && committedCount > then;
}

function waitForCompany(
  { clock }: SettleBatchParts,
  memory: SegmentMemory,
  ulid: string,
  committedCount: number,
): Verdict {
  memory.alone.set(ulid, memory.alone.get(ulid) ?? committedCount);
  const { attempts, faults } = memory.states.get(ulid) ?? NO_ATTEMPTS;
  const retryAtMs = clock.nowMs() + ALONE_WAIT_MS;
  memory.states.set(ulid, { attempts: attempts + 1, faults, retryAtMs });
  return "skipped";
}

/** One attempt of a record that is at fault itself; the last leads to quarantine. */
function spend(
  parts: SettleBatchParts,
  memory: SegmentMemory,
  ulid: string,
  bytes: Uint8Array,
  error: unknown,
): Verdict {
  const state = memory.states.get(ulid) ?? NO_ATTEMPTS;
  const faults = state.faults + 1;
  const next = nextAttempt(faults, parts.attemptsMax);
  if (next.kind === "quarantine") return setAside(parts, memory, ulid, bytes, error, faults);
  const code = codeOf(error);
  const retryAtMs = parts.clock.nowMs() + next.waitMs;
  memory.states.set(ulid, { attempts: state.attempts + 1, faults, code, retryAtMs });
  const fields = { ulid, code, attempts: faults, retry_in_ms: next.waitMs };
  parts.events.emit("envelope_set_aside", fields);
  return "spent";
}

/**
 * Makes sure, right before a segment goes, that what was set aside, in this pass or before, still
 * lies in quarantine: somebody may have sent it back into the queue since, and recovery may have
 * taken it from there again because this very segment held it.
 * @throws the system error of the failing call; the segment must stay then
 */
export function setAsideAgain(
  parts: SettleBatchParts,
  memory: SegmentMemory,
  envelopes: readonly ReadEnvelope[],
): void {
  for (const { ulid, bytes } of envelopes) {
    const known = memory.aside.get(ulid);
    if (known) quarantineBytes(parts, ulid, bytes, reasonOf(known.error, known.attempts));
  }
}

/**
 * Quarantines the lines of a segment that name an id and are no whole envelope.
 * @returns how many were set aside, and whether all are by now
 */
export function setAsideLines(
  parts: SettleBatchParts,
  faults: readonly SegmentFault[],
): { quarantined: number; complete: boolean } {
  let quarantined = 0;
  let complete = true;
  for (const { ulid, bytes, error } of faults) {
    if (ulid === undefined) continue; // kept in the segment, which is moved as a whole
    try {
      if (setAside(parts, undefined, ulid, bytes, error, 1) === "quarantined") quarantined++;
    } catch (failure) {
      leaveAlone(parts, ulid, undefined, failure);
      complete = false;
    }
  }
  return { quarantined, complete };
}

/** A disk that fails keeps the segment, and the record in it, for the next pass. */
function trySettle(
  parts: SettleBatchParts,
  memory: SegmentMemory,
  ulid: string,
  settle: () => Verdict,
): Verdict {
  try {
    const verdict = settle();
    if (verdict !== "spent") memory.settled.add(ulid);
    return verdict;
  } catch (error) {
    leaveAlone(parts, ulid, undefined, error);
    return "skipped";
  }
}

function setAside(
  parts: SettleBatchParts,
  memory: SegmentMemory | undefined,
  ulid: string,
  bytes: Uint8Array,
  error: unknown,
  attempts: number,
): Verdict {
  const reason = reasonOf(error, attempts);
  const file = quarantineBytes(parts, ulid, bytes, reason);
  memory?.aside.set(ulid, { error, attempts });
  if (file === undefined) return "there already";
  parts.events.emit("capture_quarantined", { ulid, code: reason.code, attempts });
  return "quarantined";
}
