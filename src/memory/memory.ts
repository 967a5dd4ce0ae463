/**
 * What a person or an assistant can ask of memspool: the one set of operations that the MCP tools,
 * the command line and the hooks all call. This file holds the shapes, queue-shapes.ts those of
 * queue listings and status-shapes.ts those of status and health; each operation has its own file
 * beside it and app.ts puts them together.
 *
 * Every operation rejects with a MemspoolError. Shapes are those of the wire (snake_case), so that
 * tools and `--json` print them as they are.
 */
import type { StoredState } from "../errors.ts";
import type { FlightReport } from "../events/flight-recorder.ts";
import type { MemoryRecord } from "../record/memory-record.ts";
import type { FacetKind } from "../store/memory-store.ts";
import type { ForgetInput, ForgetResult } from "./forget-shapes.ts";
import type { Redacted } from "./privacy/privacy.ts";
import type {
  AuditPage,
  Page,
  PendingEntryView,
  QuarantineEntryView,
  RetryInput,
  RetryResult,
} from "./queue-shapes.ts";
import type {
  Completeness,
  FilterInput,
  RecordSummary,
  SearchInput,
  SearchResult,
} from "./search-shapes.ts";
import type { HealthReport, StatusReport } from "./status-shapes.ts";

export type { FlightReport } from "../events/flight-recorder.ts";
export type { ForgetInput, ForgetResult, Remains } from "./forget-shapes.ts";
export type {
  AuditEntryView,
  AuditPage,
  Page,
  PendingEntryView,
  QuarantineEntryView,
  RetryInput,
  RetryOutcome,
  RetryResult,
} from "./queue-shapes.ts";
export type {
  Completeness,
  ContextTurn,
  FilterInput,
  HitExplanation,
  RecordSummary,
  SearchHit,
  SearchInput,
  SearchResult,
} from "./search-shapes.ts";
export type { AgeBucket, HealthCheck, HealthReport, StatusReport } from "./status-shapes.ts";

/** Proof that a record is on disk. */
export interface Receipt {
  ulid: string;
  /** SHA-256 of the text (WTF-8), hexadecimal. */
  sha256: string;
  state: "pending";
  /** ISO 8601. */
  appended_at: string;
  /** How many places privacy took out before it was stored; absent if none. */
  redacted?: Redacted;
}

export interface CaptureInput extends MemoryRecord {
  /** The id of an earlier attempt whose outcome was `unknown`. */
  retry_ulid?: string | undefined;
}

export interface CaptureFailure {
  error: {
    code: string;
    message: string;
    retryable: boolean;
    stored: StoredState;
    ulid?: string;
    /** Wait before the same capture is worth trying again. */
    retry_after_ms?: number;
  };
}

export interface GetInput {
  ulid: string;
  /** In UTF-16 code units of the text; a page never splits a surrogate pair. */
  offset?: number | undefined;
  length?: number | undefined;
}

export interface GetResult {
  record: MemoryRecord & {
    ulid: string;
    sha256: string;
    appended_at: string;
    state: "pending" | "spilled" | "ingested" | "quarantined";
    duplicate_of?: string;
    superseded_by?: string;
  };
  total_chars: number;
  next_offset?: number;
}

export interface RecentInput extends FilterInput {
  /** `records` (default) is the timeline; the others list names with counts. */
  list?: "records" | FacetKind | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
  order?: "newest" | "oldest" | undefined;
}

export interface RecentResult extends Completeness {
  records?: RecordSummary[];
  names?: { name: string; count: number; last_at: string }[];
  next_cursor?: string;
}

export type ReceiptState =
  | "pending"
  | "spilled"
  | "ingested"
  | "duplicate"
  | "quarantined"
  | "dropped"
  /** Hidden from everybody; its content is still being removed. */
  | "purging"
  | "forgotten"
  | "unknown";

export interface ReceiptResult {
  ulid: string;
  state: ReceiptState;
  sha256?: string;
  appended_at?: string;
  /** The record that this id is an alias of. */
  duplicate_of?: string;
  /** Why it was quarantined. */
  reason?: { code: string; message: string };
  /** ISO 8601, and the words of whoever had it forgotten. */
  forgotten_at?: string;
  forget_reason?: string;
  /** Set when the store could not be asked, so that `unknown` may be wrong. */
  store_error?: { code: string; message: string; retryable: boolean };
}

export interface FlushProgress {
  drained: number;
  total: number;
}

export interface FlushInput {
  /** Milliseconds to wait at most. */
  timeout_ms?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: FlushProgress) => void) | undefined;
}

export interface FlushResult {
  drained: number;
  remaining: number;
  ms: number;
}

export interface Memory {
  /**
   * CAPTURE_FAILED, RECORD_INVALID, RECORD_TOO_LARGE, ULID_CONFLICT, BACKPRESSURE, QUEUE_FULL,
   * SHUTTING_DOWN.
   */
  capture(input: CaptureInput): Promise<Receipt>;
  /** One outcome a record, in order. BATCH_TOO_LARGE refuses the whole. */
  captureBatch(inputs: readonly unknown[]): Promise<(Receipt | CaptureFailure)[]>;
  /** CURSOR_INVALID, INVALID_ARGUMENT. A store that is away shows in the answer. */
  search(input: SearchInput): Promise<SearchResult>;
  /** INVALID_ARGUMENT, NOT_FOUND, STORE_UNAVAILABLE, or the fault of its envelope. */
  get(input: GetInput): Promise<GetResult>;
  recent(input: RecentInput): Promise<RecentResult>;
  receipt(ulid: string): Promise<ReceiptResult>;
  status(): Promise<StatusReport>;
  health(): Promise<HealthReport>;
  /** The last signals and snapshots of this process, newest first. INVALID_ARGUMENT. */
  events(page: { limit?: number }): Promise<FlightReport>;
  pending(page: { limit?: number; cursor?: string }): Promise<Page<PendingEntryView>>;
  quarantined(page: { limit?: number; cursor?: string }): Promise<Page<QuarantineEntryView>>;
  /** Records that left the full queue, newest first. */
  audited(page: { limit?: number; cursor?: string }): Promise<AuditPage>;
  /** Sends quarantined records back to be tried again. NOT_FOUND, INVALID_ARGUMENT. */
  retry(input: RetryInput): Promise<RetryResult>;
  /**
   * First without `confirm`: counts and gives one. With it: forgets for good. NOT_FOUND,
   * INVALID_ARGUMENT, CONFIRM_INVALID, STORE_UNAVAILABLE, DATA_DIR_UNUSABLE.
   */
  forget(input: ForgetInput): Promise<ForgetResult>;
  /** Asks the ingester, wherever it runs, to drain what is pending now, and waits for it. */
  flush(input: FlushInput): Promise<FlushResult>;
  /** Calls back, at most once a second, when status, events or the pending list may have changed. */
  onChange(listener: () => void): () => void;
}
