/**
 * How many records hold a term, remembered.
 *
 * Counting reads a term's whole posting list, so a rare term's count is always current and a common
 * term's may lag behind by STALE_SHARE of the store. One cache belongs to one connection.
 */
import type { Connection } from "./connection.ts";

/** Counted again whenever the store changed, which costs some microseconds. */
const RECOUNT_MAX = 2_000;
/** A common term is counted again when the store has grown by one part in this many. */
const STALE_SHARE = 100;
const CACHE_COUNT_MAX = 4_096;

interface Counted {
  readonly frequency: number;
  /** Records in the store when it was counted. */
  readonly records: number;
}

export class FrequencyCache {
  readonly #counted = new Map<string, Counted>();

  /** Term → number of records that hold it, in a store that has `records` of them now. */
  count(connection: Connection, terms: readonly string[], records: number): Map<string, number> {
    return new Map(terms.map((term) => [term, this.#countOne(connection, term, records)]));
  }

  #countOne(connection: Connection, term: string, records: number): number {
    const cached = this.#counted.get(term);
    if (cached !== undefined && isCurrent(cached, records)) return cached.frequency;
    const row = connection.statement("SELECT doc FROM records_vocab WHERE term = ?").get(term);
    const frequency = (row?.doc as number | undefined) ?? 0;
    if (this.#counted.size >= CACHE_COUNT_MAX) this.#counted.clear();
    this.#counted.set(term, { frequency, records });
    return frequency;
  }
}

function isCurrent(cached: Counted, records: number): boolean {
  if (cached.records === records) return true;
  const grown = Math.abs(records - cached.records);
  return cached.frequency > RECOUNT_MAX && grown * STALE_SHARE <= cached.records;
}
