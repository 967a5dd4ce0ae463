/**
 * What happens to a batch of spilled records: commit, keep what is in the store, set aside what is
 * not. Their segment holds others, so nothing is unlinked here.
 *
 * Guarantees: a record counts as settled only when it is committed, archived, its line in the ledger
 * durable and its id recorded, or when its bytes are durable in quarantine or in the queue. What
 * the store refuses goes back into the queue, where it has attempts, waits and a mark like any
 * other; going back spends none. A conflict and a damaged line are quarantined at once: no attempt
 * can change them.
 */
import { type ErrorCode, MemspoolError } from "../errors.ts";
import { pendingPath, tempPath } from "../queue/layout.ts";
import { placeBytes } from "../queue/place-bytes.ts";
import { quarantineBytes } from "../queue/quarantine-spilled.ts";
import type { ReadEnvelope } from "../queue/read-envelope.ts";
import { keepBatch } from "../queue/settle.ts";
import type { SegmentFault } from "../queue/spill-segment.ts";
import type { MemoryStore } from "../store/memory-store.ts";
import { commitBisecting } from "./commit.ts";
import { conflictError, type SettleBatchParts, type SettledBatch } from "./commit-and-settle.ts";
import { leaveAlone } from "./leave-alone.ts";

/** What is known of a segment that could not go yet. */
export interface SegmentMemory {
  /** Ids that need nothing more. */
  readonly settled: Set<string>;
  /** Ids that the store refused while others went in. */
  readonly suspects: Set<string>;
}

/**
 * @param memory notes what is settled
 * @throws what openStore throws; MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; system errors of
 *   archive, ledger or high-water
 */
export async function commitSpilled(
  parts: SettleBatchParts,
  openStore: () => Promise<Pick<MemoryStore, "commitBatch">>,
  envelopes: readonly ReadEnvelope[],
  memory: SegmentMemory,
): Promise<SettledBatch> {
  // A lone record has no company that shows whose fault a failure is; in the queue it finds some.
  const suspects = envelopes.length === 1 ? new Set([envelopes[0]?.ulid ?? ""]) : memory.suspects;
  const committed = await commitBisecting(await openStore(), envelopes, suspects);
  // Crash here: rows and segment; they are recognised as duplicates next time.
  const inStore = new Set([...committed.inserted, ...committed.duplicates]);
  keepBatch(
    parts,
    envelopes.filter(({ ulid }) => inStore.has(ulid)),
  );
  for (const ulid of inStore) memory.settled.add(ulid);
  const byId = new Map(envelopes.map((envelope) => [envelope.ulid, envelope]));
  let quarantined = 0;
  let skipped = 0;
  let spent = 0;
  for (const { ulid, code, existing } of committed.conflicts) {
    const error = conflictError(ulid, code, existing);
    const bytes = byId.get(ulid)?.bytes ?? Buffer.alloc(0);
    const outcome = trySettle(parts, memory, ulid, () => setAside(parts, ulid, bytes, error));
    if (outcome === "failed") skipped++;
    else if (outcome) quarantined++;
  }
  for (const { ulid, error } of committed.refused) {
    memory.suspects.add(ulid);
    const bytes = byId.get(ulid)?.bytes ?? Buffer.alloc(0);
    const outcome = trySettle(parts, memory, ulid, () => putBackOrAside(parts, ulid, bytes, error));
    if (outcome === "failed") skipped++;
    else if (outcome) quarantined++;
    else spent++;
  }
  const { inserted, duplicates } = committed;
  return {
    inserted: inserted.length,
    duplicates: duplicates.length,
    quarantined,
    skipped,
    spent,
  };
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
      if (setAside(parts, ulid, bytes, error)) quarantined++;
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
  settle: () => boolean,
): boolean | "failed" {
  try {
    const isNew = settle();
    memory.settled.add(ulid);
    return isNew;
  } catch (error) {
    leaveAlone(parts, ulid, undefined, error);
    return "failed";
  }
}

/** @returns whether it was not in quarantine already */
function setAside(
  parts: SettleBatchParts,
  ulid: string,
  bytes: Uint8Array,
  error: MemspoolError,
): boolean {
  const reason = { code: error.code, message: error.message, attempts: 1 };
  if (quarantineBytes(parts, ulid, bytes, reason) === undefined) return false;
  parts.events.emit("capture_quarantined", { ulid, code: error.code, attempts: 1 });
  return true;
}

/** @returns whether it went to quarantine */
function putBackOrAside(
  parts: SettleBatchParts,
  ulid: string,
  bytes: Uint8Array,
  error: unknown,
): boolean {
  const { fs, layout } = parts;
  // Crash here or later: in the queue and in the segment; the store knows it by its id.
  if (placeBytes(fs, tempPath(layout, ulid), pendingPath(layout, ulid), bytes) !== "taken") {
    return false;
  }
  return setAside(parts, ulid, bytes, pendingIsTaken(error));
}

/** Other bytes lie under the pending name; they are judged for themselves. */
function pendingIsTaken(error: unknown): MemspoolError {
  const code: ErrorCode = error instanceof MemspoolError ? error.code : "INTERNAL";
  return new MemspoolError(
    code,
    "The store refused this spilled record, and another file has its name in the queue.",
  );
}
