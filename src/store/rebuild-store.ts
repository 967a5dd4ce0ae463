/**
 * The contract between `memspool rebuild` and a store that can be written anew beside an old one.
 * sqlite/rebuild-sqlite.ts is the embedded one's; a server's database has backups of its own.
 *
 * In prose:
 * - From opening to closing nobody else commits to the old store; readers may go on.
 * - The new store is what ingestion would have made of the same records: the same code writes it.
 * - `swap` puts the new one in the old one's place. Killed at any step, whoever opens the store next
 *   finds one of the two, complete: the old one, or, from a moment within `swap` on, the new one.
 *   The old one's files are kept under another name.
 * - `discard` leaves the old store as it was.
 * - Failures are MemspoolErrors, as in memory-store.ts.
 */
import type { StoredTombstone } from "./forgetting.ts";
import type { CommitItem, ConflictCode } from "./memory-store.ts";

/** A record on its way into the new store. */
export interface RebuildItem extends CommitItem {
  /** ISO 8601; when the old store got it. The present time unless given. */
  readonly ingestedAt?: string | undefined;
}

/** An id that stands for another record. */
export interface StoredAlias {
  readonly ulid: string;
  readonly of: string;
  readonly sha256: string;
  /** ISO 8601. */
  readonly appendedAt: string;
}

export interface RebuildBatch {
  readonly inserted: number;
  /** Known before, the very id or its idempotency key. */
  readonly duplicates: number;
  readonly conflicts: readonly { readonly ulid: string; readonly code: ConflictCode }[];
  /** Not taken in: they, or the same turn, were forgotten. */
  readonly forgotten: number;
  /** Ids of records that the store can not keep. */
  readonly refused: readonly string[];
}

/** A stretch of the old store's rows, in the order in which they arrived. May be empty. */
export interface OldRows {
  /** Proved: the text has the row's hash, the columns follow from the record. */
  readonly rows: readonly RebuildItem[];
  /** Rows that could be read and are not what was stored; their ids, as far as they have one. */
  readonly unproved: readonly (string | undefined)[];
}

/** How well an old store's ids are known: `some` when an index is damaged or counts disagree. */
export type IdsKnown = "all" | "some" | "none";

export interface OldStore {
  /** `unreadable`: it can not be opened as a store at all. */
  readonly state: "absent" | "open" | "unreadable";
  /** Its own totals; undefined if they can not be read. */
  readonly totals: { readonly records: number; readonly aliases: number } | undefined;
  /** Reads around damage; yields now and then even where nothing can be read. */
  rows(): Iterable<OldRows>;
  aliases(): Iterable<readonly StoredAlias[]>;
  tombstones(): Iterable<readonly StoredTombstone[]>;
  /** Every id that its indexes name, also of rows that can not be read; some more than once. */
  ids(): Iterable<readonly string[]>;
  /** Means something after `ids` has run to its end. */
  idsKnown(): IdsKnown;
  /** Whether anything could not be read so far. */
  damaged(): boolean;
}

export interface StoreRebuild {
  readonly old: OldStore;
  /** File name of the new store, beside the old one. */
  readonly newName: string;
  /** One transaction. @throws MemspoolError STORE_UNAVAILABLE */
  add(items: readonly RebuildItem[]): RebuildBatch;
  /** @returns those whose record is not in the new store */
  addAliases(aliases: readonly StoredAlias[]): readonly StoredAlias[];
  /** Before anything that they are to keep out. */
  addTombstones(tombstones: readonly StoredTombstone[]): void;
  /** Those of the ids that the new store does not know, as records or as forgotten. */
  lacking(ulids: readonly string[]): string[];
  counts(): { readonly records: number; readonly aliases: number };
  /**
   * @returns file name of the kept old store; undefined if there was none
   * @throws MemspoolError STORE_UNAVAILABLE; the old store is in place then, or the new one is on
   *   its way there and the next opening ends it
   */
  swap(): string | undefined;
  /** Removes the new store unless it is to be kept or was swapped in. */
  discard(options?: { readonly keep?: boolean }): void;
  /** Lets go of the old store. Idempotent. */
  close(): void;
}
