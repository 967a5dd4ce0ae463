/**
 * Commits a batch, and finds the bad record when the store refuses it.
 *
 * Guarantees: every item is either settled (in the store, now or before), in conflict, or refused
 * with its own error; a failure of the store itself is thrown and spends nobody's attempt.
 * Halving costs at most 2·log₂(n) extra transactions for one bad record.
 */
import { MemspoolError } from "../errors.ts";
import type { CommitItem, CommitResult, ConflictCode, MemoryStore } from "../store/memory-store.ts";

export interface Committed {
  readonly inserted: readonly string[];
  readonly duplicates: readonly string[];
  readonly conflicts: readonly { ulid: string; code: ConflictCode; existing: string }[];
  /** Not taken in, because they were forgotten: nothing of them may be kept. */
  readonly forgotten: readonly string[];
  readonly refused: readonly { ulid: string; error: unknown }[];
}

interface Outcome {
  inserted: string[];
  duplicates: string[];
  conflicts: { ulid: string; code: ConflictCode; existing: string }[];
  forgotten: string[];
  refused: { ulid: string; error: unknown }[];
}

/**
 * @param suspects ids that failed before while others went in: alone, too, the failure is theirs
 * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; any error that no single record explains
 */
export async function commitBisecting(
  store: Pick<MemoryStore, "commitBatch">,
  items: readonly CommitItem[],
  suspects: ReadonlySet<string> = new Set(),
): Promise<Committed> {
  const outcome: Outcome = {
    inserted: [],
    duplicates: [],
    conflicts: [],
    forgotten: [],
    refused: [],
  };
  await commitRange(store, items, outcome);
  const { inserted, duplicates, conflicts, forgotten, refused } = outcome;
  const went = inserted.length + duplicates.length + conflicts.length + forgotten.length;
  const nothingWent = went === 0;
  const unexplained = refused.find(({ ulid, error }) => !isRefusal(error) && !suspects.has(ulid));
  if (nothingWent && unexplained) {
    // Not one record passed: an unknown failure says nothing about the records.
    throw unexplained.error;
  }
  return outcome;
}

async function commitRange(
  store: Pick<MemoryStore, "commitBatch">,
  items: readonly CommitItem[],
  outcome: Outcome,
): Promise<void> {
  try {
    collect(await store.commitBatch(items), outcome);
  } catch (error) {
    if (isStoreFault(error)) throw error;
    const [only] = items;
    if (only === undefined) return;
    if (items.length === 1) {
      outcome.refused.push({ ulid: only.ulid, error });
      return;
    }
    const middle = Math.ceil(items.length / 2);
    await commitRange(store, items.slice(0, middle), outcome);
    await commitRange(store, items.slice(middle), outcome);
  }
}

function collect(result: CommitResult, outcome: Outcome): void {
  outcome.inserted.push(...result.inserted);
  outcome.duplicates.push(...result.duplicates.map(({ ulid }) => ulid));
  outcome.conflicts.push(...result.conflicts);
  outcome.forgotten.push(...result.forgotten);
}

export function isRefusal(error: unknown): boolean {
  return error instanceof MemspoolError && error.code === "STORE_REFUSED";
}

function isStoreFault(error: unknown): boolean {
  return (
    error instanceof MemspoolError &&
    (error.code === "STORE_UNAVAILABLE" || error.code === "STORE_TOO_NEW")
  );
}
