/** What the ingester tells of itself: a snapshot for status. */
import type { ErrorCode } from "../errors.ts";

export type IngesterState = "idle" | "draining" | "delayed" | "stopped";

/** What the ingester says of itself after each batch and each change of state. */
export interface IngestReport {
  readonly state: IngesterState;
  readonly lastBatch: { readonly atMs: number; readonly count: number; readonly ms: number } | null;
  readonly delayed: {
    readonly code: ErrorCode;
    readonly untilMs: number;
    readonly failures: number;
  } | null;
  readonly totals: {
    readonly ingested: number;
    readonly duplicates: number;
    readonly quarantined: number;
    /** Ordered to be forgotten because of their age. */
    readonly expired: number;
  };
}
