/**
 * What happens to one batch: commit, settle what is in the store, set aside what is not.
 *
 * Guarantees: nothing is unlinked before the transaction that holds it has committed and the
 * archive has it; a record that can not be stored ends in quarantine or waits under its mark.
 */
import { MemspoolError } from "../errors.ts";
import type { Claim, Claims } from "../queue/claim.ts";
import { type SetAsideParts, setAsideForGood, spendAttempt } from "../queue/set-aside.ts";
import { type SettleParts, settleBatch } from "../queue/settle.ts";
import type { ConflictCode, MemoryStore } from "../store/memory-store.ts";
import type { BatchRecord } from "./batch.ts";
import { type Committed, commitBisecting } from "./commit.ts";

export interface SettleBatchParts extends SettleParts, SetAsideParts {
  readonly claims: Claims;
}

export interface SettledBatch {
  readonly inserted: number;
  readonly duplicates: number;
  readonly quarantined: number;
  /** Held by another process. */
  readonly skipped: number;
  /** Refused by the store, with attempts left. */
  readonly spent: number;
}

export const NOTHING_SETTLED: SettledBatch = Object.freeze({
  inserted: 0,
  duplicates: 0,
  quarantined: 0,
  skipped: 0,
  spent: 0,
});

/**
 * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; system errors of archive or high-water:
 *   then nothing was unlinked
 */
export async function commitAndSettle(
  parts: SettleBatchParts,
  store: Pick<MemoryStore, "commitBatch">,
  records: readonly BatchRecord[],
): Promise<SettledBatch> {
  const committed = await commitBisecting(
    store,
    records.map(({ envelope }) => envelope),
  );
  // Crash here: rows and envelopes; the envelopes are recognised as duplicates next time.
  const inStore = new Set([...committed.inserted, ...committed.duplicates]);
  const settled = records.filter(({ envelope }) => inStore.has(envelope.ulid));
  settleBatch(
    parts,
    settled.map(({ envelope }) => envelope),
  );
  for (const { claim } of settled) claim?.release();
  const { inserted, duplicates } = committed;
  return {
    inserted: inserted.length,
    duplicates: duplicates.length,
    ...setAside(parts, records, committed),
  };
}

/** Conflicts are quarantined at once; what the store refuses spends an attempt. */
function setAside(
  parts: SettleBatchParts,
  records: readonly BatchRecord[],
  committed: Committed,
): { quarantined: number; skipped: number; spent: number } {
  const held = new Map(records.map(({ envelope, claim }) => [envelope.ulid, claim]));
  const claimOf = (ulid: string): Claim | undefined =>
    held.get(ulid) ?? parts.claims.take(ulid, { dueOrNot: true });
  let quarantined = 0;
  let skipped = 0;
  let spent = 0;
  for (const { ulid, code, existing } of committed.conflicts) {
    const claim = claimOf(ulid);
    if (claim) {
      setAsideForGood(parts, claim, conflictError(ulid, code, existing), 1);
      quarantined++;
    } else skipped++;
  }
  for (const { ulid, error } of committed.refused) {
    const claim = claimOf(ulid);
    if (!claim) skipped++;
    else if (spendAttempt(parts, claim, error) === "quarantined") quarantined++;
    else spent++;
  }
  return { quarantined, skipped, spent };
}

function conflictError(ulid: string, code: ConflictCode, existing: string): MemspoolError {
  const what =
    code === "ULID_CONFLICT"
      ? `${ulid} is in the store with another text`
      : `the idempotency key of ${ulid} belongs to ${existing}, which has another text`;
  return new MemspoolError(
    code,
    `${what}. Both are kept: the stored one is found, this one is in quarantine.`,
    { details: { ulid, existing } },
  );
}
