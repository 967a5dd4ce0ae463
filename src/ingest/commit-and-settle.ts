/**
 * What happens to one batch: commit, settle what is in the store, set aside what is not.
 *
 * Guarantees: nothing is unlinked before the transaction that holds it has committed and the
 * archive has it; a record that can not be stored ends in quarantine or waits under its mark.
 */
import { MemspoolError } from "../errors.ts";
import type { Claim, Claims } from "../queue/claim.ts";
import { type SetAsideParts, setAsideForGood, spendAttempt } from "../queue/set-aside.ts";
import { type SettleParts, settleBatch, settleForgotten } from "../queue/settle.ts";
import type { ConflictCode, MemoryStore } from "../store/memory-store.ts";
import type { BatchRecord } from "./batch.ts";
import { type Committed, commitBisecting } from "./commit.ts";
import { type LeaveAloneParts, leaveAlone, putBack } from "./leave-alone.ts";

export interface SettleBatchParts extends SettleParts, SetAsideParts, LeaveAloneParts {
  readonly claims: Claims;
}

export interface SettledBatch {
  readonly inserted: number;
  readonly duplicates: number;
  /** Let go without being kept anywhere. */
  readonly forgotten: number;
  readonly quarantined: number;
  /** Held by another process, or the disk failed when they were to be set aside. */
  readonly skipped: number;
  /** Refused by the store, with attempts left. */
  readonly spent: number;
}

/**
 * Takes over the records' claims: none is held afterwards, however this ends.
 * @throws what openStore throws; MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; system errors of
 *   archive or high-water: then nothing was unlinked
 */
export async function commitAndSettle(
  parts: SettleBatchParts,
  openStore: () => Promise<Pick<MemoryStore, "commitBatch">>,
  records: readonly BatchRecord[],
): Promise<SettledBatch> {
  const held = new Map<string, Claim>();
  const suspects = new Set<string>();
  for (const { envelope, claim } of records) {
    if (claim) held.set(envelope.ulid, claim);
    if (claim && claim.state.faults > 0) suspects.add(envelope.ulid);
  }
  try {
    const committed = await commitBisecting(
      await openStore(),
      records.map(({ envelope }) => envelope),
      suspects,
    );
    // Crash here: rows and envelopes; the envelopes are recognised as duplicates next time.
    const inStore = new Set([...committed.inserted, ...committed.duplicates]);
    const forgotten = new Set(committed.forgotten);
    const envelopes = records.map(({ envelope }) => envelope);
    const settled = envelopes.filter(({ ulid }) => inStore.has(ulid));
    const replays = envelopes.filter(({ ulid }) => forgotten.has(ulid));
    settleBatch(parts, settled);
    settleForgotten(parts, replays);
    for (const { ulid } of [...settled, ...replays]) takeFrom(held, ulid)?.release();
    const { inserted, duplicates } = committed;
    return {
      inserted: inserted.length,
      duplicates: duplicates.length,
      forgotten: replays.length,
      ...setAside(parts, held, committed),
    };
  } finally {
    // What is held still met a failure that was not its own; a claim that nobody gives back would
    // keep its record out of every later batch.
    for (const claim of held.values()) putBack(claim);
  }
}

type Verdict = "quarantined" | "waits" | "skipped";

/** Conflicts are quarantined at once; what the store refuses spends an attempt. */
function setAside(
  parts: SettleBatchParts,
  held: Map<string, Claim>,
  { conflicts, refused }: Committed,
): { quarantined: number; skipped: number; spent: number } {
  const verdicts = [
    ...conflicts.map(({ ulid, code, existing }) =>
      withClaim(parts, held, ulid, (claim) => {
        setAsideForGood(parts, claim, conflictError(ulid, code, existing), 1);
        return "quarantined";
      }),
    ),
    ...refused.map(({ ulid, error }) =>
      withClaim(parts, held, ulid, (claim) => spendAttempt(parts, claim, error)),
    ),
  ];
  const count = (wanted: Verdict) => verdicts.filter((verdict) => verdict === wanted).length;
  return { quarantined: count("quarantined"), skipped: count("skipped"), spent: count("waits") };
}

function withClaim(
  parts: SettleBatchParts,
  held: Map<string, Claim>,
  ulid: string,
  judge: (claim: Claim) => Verdict,
): Verdict {
  let claim = takeFrom(held, ulid);
  try {
    claim ??= parts.claims.take(ulid, { dueOrNot: true });
    return claim ? judge(claim) : "skipped";
  } catch (error) {
    leaveAlone(parts, ulid, claim, error);
    return "skipped";
  }
}

function takeFrom(held: Map<string, Claim>, ulid: string): Claim | undefined {
  const claim = held.get(ulid);
  held.delete(ulid);
  return claim;
}

export function conflictError(ulid: string, code: ConflictCode, existing: string): MemspoolError {
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
