/** What forgetting takes and answers: shapes of the wire, as in memory.ts. */
import type { FilterInput } from "./search-shapes.ts";

export interface ForgetInput {
  /** One record, under whichever of its ids. */
  ulid?: string | undefined;
  /** All records that it finds; at least one of its fields is set. */
  filter?: FilterInput | undefined;
  /** Only count, also when `confirm` is given. */
  dry_run?: boolean | undefined;
  /** The token of a dry run of the same. */
  confirm?: string | undefined;
  /** Kept with the tombstone, at most FORGET_REASON_BYTES_MAX; "requested" unless given. */
  reason?: string | undefined;
  /** Longest wait until everything is purged. */
  timeout_ms?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Where forgetting does not reach. */
export interface Remains {
  /** Backups that were made since the oldest of the records was captured; the newest ones. */
  backups: {
    directory: string;
    /** ISO 8601. */
    at: string;
    /** Whether it is where it was made. */
    found: boolean;
  }[];
  /** What a rebuild or a restore put aside in the data directory. */
  old_stores: string[];
}

export interface ForgetResult {
  /** `purging`: hidden from everybody for good, and its content still being removed. */
  state: "dry_run" | "purging" | "forgotten";
  /** Records, each counted once however many ids it has. */
  count: number;
  /** Ids of the first of them. */
  ulids: string[];
  /** Of a dry run that found something: what to call again with. */
  confirm?: string;
  /** Of the order, once there is one. */
  request?: string;
  /** Records that a filter could not look at: they stay. */
  unsearched?: number;
  remains: Remains;
  /** What to do next; absent when there is nothing. */
  advice?: string;
}
