/**
 * Drains one listing of pending records, oldest first, batch by batch.
 *
 * Guarantees: a turn of the event loop between batches, so that a stop is heard; whatever is wrong
 * with single records is settled by batch.ts and commit-and-settle.ts and ends no pass.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { PendingNames } from "../queue/pending-list.ts";
import { type BatchParts, readBatch } from "./batch.ts";
import { commitAndSettle, type SettleBatchParts } from "./commit-and-settle.ts";
import { addSettled, emptyOutcome, type PassDrive, type PassOutcome } from "./drain-pass.ts";

/**
 * @param dueOrNot tries records whose next attempt is not due, too
 * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; system errors of queue, archive, ledger
 */
export async function drainListing(
  parts: BatchParts & SettleBatchParts,
  listing: PendingNames,
  dueOrNot: boolean,
  drive: PassDrive,
): Promise<PassOutcome> {
  const outcome = emptyOutcome();
  for (let next = 0; next < listing.ulids.length && !drive.isStopping(); ) {
    const batch = readBatch(parts, listing, next, dueOrNot);
    next = batch.next;
    outcome.quarantined += batch.quarantined;
    outcome.skipped += batch.skipped;
    outcome.spent += batch.spent;
    drive.onQuarantined(batch.quarantined);
    if (batch.records.length > 0) {
      addSettled(
        outcome,
        await drive.commit((openStore) => commitAndSettle(parts, openStore, batch.records)),
      );
    }
    await nextTurn(); // a stop may be waiting
  }
  return outcome;
}
