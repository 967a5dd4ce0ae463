/**
 * The part of the store's contract that forgets. memory-store.ts has the rest.
 *
 * In prose:
 * - `forget` is one transaction: rows, tags, corrections, aliases and index entries of the named
 *   records go, and a tombstone without content stays for each id. A record that is an alias, or has
 *   aliases, is forgotten under all of its ids. Repeating an order changes nothing.
 * - From then on `commitBatch` takes in nothing under these ids (`forgotten` in its result), and
 *   nothing that repeats the same text under the same idempotency key of the same project, whatever
 *   its id is: that id becomes a tombstone, too. Another text under the key is a new record.
 * - `scrub` removes what a database keeps of deleted rows: the index's old lists, free pages, unused
 *   stretches of pages, the log. It works in several transactions, so that others can write in
 *   between, and may be repeated.
 */

/** Why and when an id was forgotten. */
export interface Tombstone {
  readonly ulid: string;
  /** ISO 8601. */
  readonly forgottenAt: string;
  /** The caller's words, or "requested". Never content of the record, unless the caller wrote it. */
  readonly reason: string;
}

/** A tombstone on its way into another store. */
export interface StoredTombstone extends Tombstone {
  /** Id of the order. */
  readonly request: string;
  /** {@link replayHash} of what was forgotten, if it had an idempotency key. */
  readonly replayHash: string | undefined;
}

export interface ForgetOrder {
  /** A ULID of the order itself. */
  readonly request: string;
  /** At most FORGET_BATCH_COUNT_MAX. */
  readonly ulids: readonly string[];
  /** ISO 8601. */
  readonly forgottenAt: string;
  readonly reason: string;
  /** {@link replayHash}es by id, of records that may not be in the store yet. */
  readonly replayHashes?: ReadonlyMap<string, string>;
}

/** Ids in one transaction. */
export const FORGET_BATCH_COUNT_MAX = 200;

export interface ForgetOutcome {
  /** Rows that were there. */
  readonly removed: number;
}

/** Everything that an order has led to so far. */
export interface OrderTraces {
  /** Every id that has a tombstone of this order, aliases among them. */
  readonly ulids: readonly string[];
  /** {@link replayHash}es of what was forgotten. */
  readonly replayHashes: readonly string[];
}

/** `blocked`: a reader or writer is in the way of the last step; `stopped`: as asked. */
export type ScrubOutcome = "clean" | "blocked" | "stopped";

export interface ScrubOptions {
  /** Looked at between two transactions. */
  readonly isStopping: () => boolean;
}

/** Ids of records that were captured before a time, in their order. */
export interface ExpiredQuery {
  /** Of `appended_at`, exclusive; milliseconds since 1970. */
  readonly beforeMs: number;
  /** Of these projects, or of all except these; "" is for records without one. */
  readonly projects: readonly string[];
  readonly isExcept: boolean;
  /** Continue behind this id. */
  readonly after: string;
  readonly countMax: number;
}

export interface ForgettingStore {
  expired(query: ExpiredQuery): Promise<readonly string[]>;
  forget(order: ForgetOrder): Promise<ForgetOutcome>;
  /** What an order has forgotten, also after a restart. */
  tracesOf(request: string): Promise<OrderTraces>;
  scrub(options: ScrubOptions): Promise<ScrubOutcome>;
}

/** Ids of records that pass the filter, in their order. */
export interface MatchingQuery<Filter> {
  readonly filter: Filter;
  /** Continue behind this id. */
  readonly after?: string;
  readonly countMax: number;
}
