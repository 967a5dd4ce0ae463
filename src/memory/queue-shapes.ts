/** Shapes of what is asked about the queue itself: its listings and the way back from quarantine. */

export interface PendingEntryView {
  ulid: string;
  appended_at: string;
  bytes: number;
  /** A mark lies beside it: a handler holds it or failed on it. */
  marked: boolean;
}

export interface QuarantineEntryView {
  ulid: string;
  /** File name inside the quarantine directory. */
  file: string;
  bytes: number;
  code: string;
  message: string;
  attempts: number;
  quarantined_at: string;
}

export interface Page<T> {
  total: number;
  entries: T[];
  next_cursor?: string;
}

/** One line of the overflow audit log, as it lies on disk. */
export interface AuditEntryView {
  ts: string;
  reason: "queue_overflow";
  dropped_ulid: string;
  appended_at: string;
  queue_size_before_prune: number;
  disposition: "spilled" | "dropped";
  sha256: string;
}

/** Counts of audit lines. A record whose removal failed and was repeated has two. */
export interface AuditTotalsView {
  files: number;
  bytes: number;
  spilled: number;
  dropped: number;
  /** Lines that are not whole. */
  damaged: number;
}

export interface AuditPage extends Page<AuditEntryView> {
  /** Of the files that lie there, and of those that rotation deleted, as its checkpoint says. */
  totals: AuditTotalsView & {
    deleted: AuditTotalsView & {
      /** A checkpoint was damaged: there may have been more. */
      incomplete: boolean;
    };
  };
}

export interface RetryInput {
  /** One quarantined record; without it, all of them. */
  ulid?: string | undefined;
  /** At most this many; the oldest first. */
  limit?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** Outcome of a retry for one quarantined file. */
export interface RetryOutcome {
  ulid: string;
  /** `pending`: it will be tried again. */
  state: "pending" | "quarantined";
  /** Why it stayed. */
  error?: { code: string; message: string };
}

export interface RetryResult {
  /** Records that left the quarantine. */
  returned: number;
  outcomes: RetryOutcome[];
  /** Quarantined files that were not looked at. */
  remaining: number;
}
