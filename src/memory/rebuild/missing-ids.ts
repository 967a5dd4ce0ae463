/**
 * What the new store lacks of the old one's ids, or, where those are not all known, of everything
 * that was ever captured.
 *
 * Guarantees: an id counts once, whatever names it. Where the old store's ids are all known, older
 * losses are not this rebuild's: `memspool verify` finds those.
 */
import type { StoreRebuild } from "../../store/rebuild-store.ts";
import { IdTally, type NamedIds } from "./rebuild-result.ts";

export interface Missing {
  readonly named: NamedIds;
  /** Records that the old store counts beyond what is there and what is named. */
  readonly unnamed: number;
  readonly unaccounted: NamedIds | null;
}

export interface MissingParts {
  readonly capturedIds: () => AsyncIterable<readonly string[]>;
  readonly excusedIds: (ulids: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** Ids asked for at once. */
const LOOKUP_COUNT_MAX = 500;

const notOne: MissingParts["excusedIds"] = async () => new Set();

/**
 * @param unproved ids of rows that were not taken
 * @param pause called between questions
 */
export async function findMissing(
  parts: MissingParts,
  rebuild: StoreRebuild,
  unproved: readonly string[],
  pause: () => Promise<void>,
): Promise<Missing> {
  const seen = new Set<string>();
  const named = new IdTally();
  const lookAt = async (ulids: readonly string[], tally: IdTally, excused = notOne) => {
    for (let from = 0; from < ulids.length; from += LOOKUP_COUNT_MAX) {
      const lacking = rebuild
        .lacking(ulids.slice(from, from + LOOKUP_COUNT_MAX))
        .filter((ulid) => !seen.has(ulid));
      const elsewhere = await excused(lacking);
      const lost = [...new Set(lacking)].filter((ulid) => !elsewhere.has(ulid));
      for (const ulid of lost) seen.add(ulid);
      tally.add(lost);
      await pause();
    }
  };
  for (const ulids of rebuild.old.ids()) await lookAt(ulids, named);
  await lookAt(unproved, named);
  if (rebuild.old.idsKnown() === "all") {
    return { named: named.named(), unnamed: 0, unaccounted: null };
  }
  const { totals } = rebuild.old;
  const counts = rebuild.counts();
  const there = counts.records + counts.aliases;
  const counted = totals === undefined ? 0 : totals.records + totals.aliases;
  const unaccounted = new IdTally();
  for await (const ulids of parts.capturedIds()) {
    await lookAt(ulids, unaccounted, parts.excusedIds);
  }
  const unnamed = Math.max(0, counted - there - named.count - unaccounted.count);
  return { named: named.named(), unnamed, unaccounted: unaccounted.named() };
}
