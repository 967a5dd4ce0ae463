/** What the ingester tells of itself: a snapshot for status. */
import type { ErrorCode } from "../errors.ts";

export type IngesterState = "idle" | "draining" | "delayed" | "stopped";

/** What the ingester says of itself after each batch and each change of state. */
export interface IngestReport {
  readonly state: IngesterState;
  readonly lastBatch: { readonly atMs: number; readonly count: number; readonly ms: number } | null;
  /** From a failure until something got through, also while it is tried again. */
  readonly delayed: {
    readonly code: ErrorCode;
    /** What the store or the disk said, in one word; "" if nothing. */
    readonly reason: string;
    /** When the first of these failures was met. */
    readonly sinceMs: number;
    /** The next try begins then; it may have begun. */
    readonly untilMs: number;
    readonly failures: number;
  } | null;
  readonly pace: {
    /** Of the full pace, 0 to 1. */
    readonly share: number;
    /** Of all pauses after batches so far. */
    readonly pausedMs: number;
  };
  readonly totals: {
    readonly ingested: number;
    readonly duplicates: number;
    readonly quarantined: number;
    /** Ordered to be forgotten because of their age. */
    readonly expired: number;
  };
  /** null while nothing had to be trimmed. */
  readonly trim: TrimReport | null;
}

export interface TrimReport {
  /** Milliseconds since 1970, of the last run that removed a file; 0 before the first. */
  readonly lastAtMs: number;
  /** Removed from the done archive since the start. */
  readonly bytes: number;
  /** Bytes of files that can not be removed now: the store lacks a record, or they can not be read. */
  readonly heldBack: number;
}
