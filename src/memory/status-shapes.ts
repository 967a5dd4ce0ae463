/** What memspool says of itself: status and health. Shapes of the wire, as in memory.ts. */
import type { PressureReport } from "./pressure-shapes.ts";

/** What hooks of assistants captured by themselves, and what they could not. Times are ISO 8601. */
export interface HookCounts {
  captured: number;
  /** Events in which nothing was said, or a subagent's. */
  ignored: number;
  failures: number;
  last_captured_at: string | null;
  last_failure_at: string | null;
  last_failure_code: string | null;
}

/** What is taken out of texts before they are stored; `patterns` counts the user's own. */
export interface PrivacyView {
  private_spans: boolean;
  secrets: boolean;
  patterns: number;
}

/** What is forgotten by its age: days, 0 for ever; projects that have days of their own. */
export interface RetentionView {
  on: boolean;
  days: number;
  projects: number;
  /** Records, by this process since it started. */
  forgotten: number;
}

export interface AgeBucket {
  /** Upper bound in seconds; absent for the last bucket. */
  under_s?: number;
  count: number;
}

/** The object of `memspool://status`, `queue_status` and `memspool status --json`. */
export interface StatusReport extends PressureReport {
  version: string;
  pid: number;
  started_at: string;
  now: string;
  /** ok: all well. degraded: captures are safe, something needs a look. failing: they fail or wait. */
  state: "ok" | "degraded" | "failing";
  /** One sentence for each reason of a state that is not ok. */
  reasons: string[];
  data_dir: string;
  project: string;
  queue: {
    depth: number;
    bytes: number;
    /** Milliseconds; null when nothing is pending. */
    oldest_age_ms: number | null;
    age_histogram: AgeBucket[];
    quarantined: number;
    /** Records in overflow segments, still to be ingested. */
    spilled: number;
    /** Orders to forget that are not carried out yet. */
    forgetting: number;
    /** Milliseconds; null when there is none. */
    oldest_forgetting_age_ms: number | null;
    /** The limit on pending records, and what happens beyond it. */
    max_records: number;
    overflow: "spill" | "reject" | "drop-oldest";
  };
  /** Since this process started, but for the store's own counts. */
  counters: {
    captured: number;
    capture_failures: number;
    ingested: number;
    duplicates: number;
    quarantined: number;
  };
  ingester: {
    /** The process that drains this data directory, if one does. */
    leader: { pid: number; host: string; since: string } | null;
    this_process_leads: boolean;
    last_batch: { at: string; count: number; ms: number } | null;
    /** Age of the oldest pending record in milliseconds, 0 when drained. */
    lag_ms: number;
    /**
     * Set from a failure until something got through, also while it is tried again. `reason` is what
     * store or disk said, in one word; `until` is when the next try begins, or began.
     */
    delayed: {
      code: string;
      reason: string;
      since: string;
      until: string;
      failures: number;
    } | null;
  };
  /** Records a second, over the last minute, of whichever process ingests. */
  ingest_rate: number;
  store: {
    kind: string;
    state: "unopened" | "ok" | "unavailable";
    records: number | null;
    bytes: number | null;
    error: { code: string; message: string } | null;
  };
  hooks: HookCounts;
  privacy: PrivacyView;
  retention: RetentionView;
}

export interface HealthCheck {
  name: string;
  status: "ok" | "degraded" | "failing";
  detail: string;
  /** What to do about it; absent when ok. */
  advice?: string;
}

export interface HealthReport {
  status: "ok" | "degraded" | "failing";
  checks: HealthCheck[];
}
