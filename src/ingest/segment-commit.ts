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
import { NO_ATTEMPTS } from "../queue/mark-state.ts";
import type { ReadEnvelope } from "../queue/read-envelope.ts";
import {
  type SegmentMemory,
  type SetAsideSpilled,
  setAsideSpilled,
  spendSpilled,
} from "../queue/segment-memory.ts";
import { keepBatch, noteIds } from "../queue/settle.ts";
import type { SegmentFault } from "../queue/spill-segment.ts";
import type { MemoryStore } from "../store/memory-store.ts";
import { commitBisecting, isRefusal } from "./commit.ts";
import { conflictError, type SettleBatchParts, type SettledBatch } from "./commit-and-settle.ts";
import { leaveAlone } from "./leave-alone.ts";

/** A record that failed alone, for no known reason, is tried again after this. */
const ALONE_WAIT_MS = 60_000;

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
  const replays = new Set(committed.forgotten);
  // They go with their segment and are kept nowhere.
  noteIds(
    parts,
    envelopes.filter(({ ulid }) => replays.has(ulid)),
  );
  for (const ulid of [...inStore, ...replays]) memory.settled.add(ulid);
  const byId = new Map(envelopes.map((envelope) => [envelope.ulid, envelope]));
  const recordOf = (ulid: string) => byId.get(ulid) as ReadEnvelope; // the store speaks of these
  const verdicts: Verdict[] = [];
  for (const { ulid, code, existing } of committed.conflicts) {
    const error = conflictError(ulid, code, existing);
    verdicts.push(
      trySettle(parts, ulid, () => setAsideSpilled(parts, memory, recordOf(ulid), error, 1)),
    );
  }
  for (const { ulid, error } of committed.refused) {
    const isTheirs = !isAlone || isRefusal(error) || isKnownToFail(memory, ulid, committedCount);
    verdicts.push(
      isTheirs
        ? trySettle(parts, ulid, () => spendSpilled(parts, memory, recordOf(ulid), error))
        : waitForCompany(parts, memory, ulid, committedCount),
    );
  }
  const count = (wanted: Verdict) => verdicts.filter((verdict) => verdict === wanted).length;
  return {
    inserted: committed.inserted.length,
    duplicates: committed.duplicates.length,
    forgotten: committed.forgotten.length,
    quarantined: count("quarantined"),
    skipped: count("skipped"),
    spent: count("spent"),
  };
}

type Verdict = SetAsideSpilled | "spent" | "skipped";

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

/**
 * Quarantines the lines of a segment that name an id and are no whole envelope.
 * @returns how many were set aside, and whether all are by now
 */
export function setAsideLines(
  parts: SettleBatchParts,
  memory: SegmentMemory,
  faults: readonly SegmentFault[],
): { quarantined: number; complete: boolean } {
  let quarantined = 0;
  let complete = true;
  for (const { ulid, bytes, error } of faults) {
    if (ulid === undefined) continue; // kept in the segment, which is moved as a whole
    try {
      const verdict = setAsideSpilled(parts, memory, { ulid, bytes }, error, 1);
      if (verdict === "quarantined") quarantined++;
    } catch (failure) {
      leaveAlone(parts, ulid, undefined, failure);
      complete = false;
    }
  }
  return { quarantined, complete };
}

/** A disk that fails keeps the segment, and the record in it, for the next pass. */
function trySettle(parts: SettleBatchParts, ulid: string, settle: () => Verdict): Verdict {
  try {
    return settle();
  } catch (error) {
    leaveAlone(parts, ulid, undefined, error);
    return "skipped";
  }
}
