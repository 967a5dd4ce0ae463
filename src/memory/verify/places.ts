/**
 * Where an id was found, as flags, and how an id counts that was found in several places. Pure.
 *
 * Guarantees: every id counts exactly once, so that the sum is the number of distinct ids.
 */
import type { IdTable } from "./id-table.ts";
import { textOfWords } from "./id-words.ts";

/** In the ledger: it was acknowledged. */
export const LEDGERED = 1;
/** A row of the store. */
export const STORED = 2;
/** An alias of a row. */
export const ALIASED = 4;
export const PENDING = 8;
export const SPILLED = 16;
export const QUARANTINED = 32;
/** The audit log says that it was dropped. */
export const DROPPED = 64;
/** The audit log says that it was spilled: it must be somewhere. */
export const SPILL_AUDITED = 128;
/** In the done archive: it was in the store once. */
export const ARCHIVED = 256;

/** Set aside because the id has another text, which is the one to be found. */
export const SECOND_TEXT = 512;

/** It has a tombstone: nothing of it may be left anywhere. */
export const FORGOTTEN = 1024;

/** Where a record can be read. */
const HELD = STORED | ALIASED | PENDING | SPILLED | QUARANTINED;
/** Where an archived record is, or will be, in the store. */
const STORED_OR_COMING = STORED | ALIASED | PENDING | SPILLED;

/** Where a forgotten record must not be any more. */
const KEPT = STORED | ALIASED | PENDING | SPILLED | QUARANTINED | ARCHIVED | SECOND_TEXT;

/** True for an id that needs a second look before anything bad is said of it. */
export function isInDoubt(flags: number): boolean {
  if (flags & FORGOTTEN) return false;
  return (flags & HELD) === 0 || (flags & (ARCHIVED | STORED_OR_COMING)) === ARCHIVED;
}

export interface PlaceCounts {
  stored: number;
  duplicates: number;
  pending: number;
  spilled: number;
  quarantined: number;
  forgotten: number;
  dropped: number;
  missing: number;
}

export const NO_PLACES: Readonly<PlaceCounts> = Object.freeze({
  stored: 0,
  duplicates: 0,
  pending: 0,
  spilled: 0,
  quarantined: 0,
  forgotten: 0,
  dropped: 0,
  missing: 0,
});

/** An id counts where it is best off. An archived one was in the store and must be there. */
export function placeOf(flags: number): keyof PlaceCounts {
  if (flags & STORED) return "stored";
  if (flags & ALIASED) return "duplicates";
  if (flags & FORGOTTEN) return "forgotten";
  if (flags & PENDING) return "pending";
  if (flags & SPILLED) return "spilled";
  if (flags & QUARANTINED) return "quarantined";
  if (flags & ARCHIVED) return "missing";
  if (flags & DROPPED) return "dropped";
  // Without a line of the ledger nothing says that there was a first text.
  return (flags & (SECOND_TEXT | LEDGERED)) === SECOND_TEXT ? "quarantined" : "missing";
}

export interface TallyListeners {
  /** Acknowledged, and nowhere. */
  readonly onMissing: (ulid: () => string) => void;
  /** Forgotten, and still somewhere. */
  readonly onForgottenLeft: (ulid: () => string) => void;
  /** In the archive, and neither in the store nor on the way to it. */
  readonly onArchivedOnly: (ulid: () => string) => void;
  /** Found, and not in the ledger. */
  readonly onUnledgered: (ulid: () => string) => void;
}

/** Adds the table's ids to `counts`. */
export function tally(table: IdTable, counts: PlaceCounts, listeners: TallyListeners): void {
  for (const { flags, words, at } of table.entries()) {
    const place = placeOf(flags);
    counts[place]++;
    const ulid = () => textOfWords(words, at);
    const archivedOnly = (flags & (ARCHIVED | STORED_OR_COMING | FORGOTTEN)) === ARCHIVED;
    if (flags & FORGOTTEN && flags & KEPT) listeners.onForgottenLeft(ulid);
    else if (archivedOnly) listeners.onArchivedOnly(ulid);
    else if (place === "missing") listeners.onMissing(ulid);
    if (!(flags & LEDGERED)) listeners.onUnledgered(ulid);
  }
}
