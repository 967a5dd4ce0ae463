/**
 * Everything that memspool says happened, by name, with its fields. docs/EVENTS.md lists the same.
 *
 * Guarantees: an event is emitted after the durable step that it reports, never before. Fields hold
 * ids, counts, codes and durations; never a record's text, a query or a secret.
 */
import type { ErrorCode } from "../errors.ts";

export interface EventFields {
  server_started: { pid: number; version: string };
  server_stopping: { reason: string };
  server_stopped: { ms: number };
  message_refused: {
    code: number;
    reason: "not_json" | "not_utf8" | "too_large" | "not_a_message";
    count: number;
  };
  capture_appended: { ulid: string; bytes: number; ms: number };
  capture_failed: { code: ErrorCode; stored: "no" | "unknown"; errno: string };
  capture_ingested: { count: number; inserted: number; duplicates: number; ms: number };
  capture_quarantined: { ulid: string; code: ErrorCode; attempts: number };
  quarantine_returned: { ulid: string };
  queue_pruned: {
    disposition: "spilled" | "dropped";
    count: number;
    depth_before: number;
    ms: number;
  };
  prune_failed: { errno: string; wanted: number };
  segment_damaged: { segment: string; records_lost: number; bytes_skipped: number };
  ledger_write_failed: { errno: string; count: number };
  records_forgotten: { request: string; count: number; ms: number };
  retention_applied: { count: number; orders: number };
  forget_delayed: { code: ErrorCode; errno: string; orders: number };
  forget_order_damaged: { request: string };
  replays_refused: { count: number };
  envelope_set_aside: { ulid: string; code: ErrorCode; attempts: number; retry_in_ms: number };
  envelope_read_failed: { ulid: string; errno: string };
  schema_version_unknown: { ulid: string; schema_version: string };
  id_ahead_ignored: { ulid: string; ahead_ms: number };
  directory_fsync_missing: { errno: string };
  recovery_completed: {
    temp_removed: number;
    marks_removed: number;
    moves_finished: number;
    spills_finished: number;
    pending: number;
    ms: number;
  };
  leader_elected: { pid: number };
  leader_lost: { reason: "released" | "compromised" | "worker_ended" };
  ingest_delayed: { code: ErrorCode; errno: string; retry_in_ms: number; failures: number };
  store_opened: { kind: string; engine_version: string; created: boolean };
  store_missing: { advice: string };
  store_unavailable: { code: ErrorCode; reason: string };
  store_retried: { away_ms: number };
  store_recovered: { away_ms: number };
  index_renewal_begun: { from: number; to: number; left: number };
  index_renewed: { from: number; to: number; ms: number };
  store_rebuilt: { records: number; missing: number; swapped: boolean; ms: number };
  backup_written: { files: number; bytes: number; ms: number };
  log_rotation_failed: { error: string; operation: string; attempts: number; retry_in_ms: number };
  log_rotation_recovered: { away_ms: number };
  log_near_limit: { used_bytes: number; limit_bytes: number };
  log_backup_deleted: { bytes: number };
  log_lines_lost: { count: number; error: string };
  audit_rotation_failed: {
    error: string;
    operation: string;
    attempts: number;
    retry_in_ms: number;
  };
  audit_rotation_recovered: { away_ms: number };
  audit_near_limit: { used_bytes: number; limit_bytes: number };
  audit_backup_deleted: { bytes: number };
  backpressure_changed: {
    from: "normal" | "soft" | "hard";
    to: "normal" | "soft" | "hard";
    reason: string;
    used_bytes: number;
    quota_bytes: number;
  };
  /** At most once a minute for each kind; `count` is how often it was met since the last one. */
  backpressure_warning: { kind: "soft" | "hard" | "early_drop" | "memory" | "line"; count: number };
  backpressure_cleared: { away_ms: number; delayed: number; refused: number };
  /** Once, when captures have been held up for long. */
  backpressure_critical: { hard_ms: number };
  archive_trimmed: { files: number; bytes: number; left_bytes: number; ms: number };
  trim_held_back: { files: number; missing: number; unreadable: number };
  pressure_raised: { sensor: PressureSensor; value: number; limit: number };
  pressure_relieved: { sensor: PressureSensor; value: number; limit: number };
  memory_shedding: { rss_bytes: number; limit_bytes: number };
  memory_critical: { rss_bytes: number; limit_bytes: number };
  stalls_unknown: { errno: string };
  governor_changed: {
    from: GovernorState;
    to: GovernorState;
    share_pct: number;
    cause: PressureSensor | "relief";
  };
  sensor_failed: { sensor: PressureSensor | "spool"; errno: string };
  alert_raised: { alert: string };
  alert_cleared: { alert: string };
  crash_reported: {
    error: string;
    thread: "main" | "ingester" | "store";
    fatal: boolean;
    report: string;
  };
}

/** What lowers the pace of the ingester. */
export type PressureSensor = "memory" | "stall" | "loop" | "store";
export type GovernorState = "normal" | "degraded" | "recovering";

export type EventName = keyof EventFields;
export type Severity = "debug" | "info" | "warning" | "error" | "critical";

/** Every event's severity; the log's `level` is one of these and nothing else. */
export const EVENT_SEVERITY: Readonly<Record<EventName, Severity>> = {
  server_started: "info",
  server_stopping: "info",
  server_stopped: "info",
  message_refused: "warning",
  capture_appended: "debug",
  capture_failed: "error",
  capture_ingested: "debug",
  capture_quarantined: "error",
  quarantine_returned: "info",
  queue_pruned: "warning",
  prune_failed: "error",
  segment_damaged: "error",
  ledger_write_failed: "warning",
  records_forgotten: "info",
  retention_applied: "info",
  forget_delayed: "warning",
  forget_order_damaged: "error",
  replays_refused: "info",
  envelope_set_aside: "warning",
  envelope_read_failed: "warning",
  schema_version_unknown: "warning",
  id_ahead_ignored: "warning",
  directory_fsync_missing: "warning",
  recovery_completed: "info",
  leader_elected: "info",
  leader_lost: "info",
  ingest_delayed: "warning",
  store_opened: "info",
  store_missing: "warning",
  store_unavailable: "error",
  store_retried: "debug",
  store_recovered: "info",
  log_rotation_failed: "error",
  log_rotation_recovered: "info",
  log_near_limit: "warning",
  log_backup_deleted: "info",
  log_lines_lost: "error",
  audit_rotation_failed: "error",
  audit_rotation_recovered: "info",
  audit_near_limit: "warning",
  audit_backup_deleted: "info",
  index_renewal_begun: "info",
  index_renewed: "info",
  store_rebuilt: "info",
  backup_written: "info",
  backpressure_changed: "info",
  backpressure_warning: "warning",
  backpressure_cleared: "info",
  backpressure_critical: "critical",
  archive_trimmed: "info",
  trim_held_back: "warning",
  pressure_raised: "warning",
  pressure_relieved: "info",
  memory_shedding: "error",
  memory_critical: "critical",
  stalls_unknown: "info",
  governor_changed: "info",
  sensor_failed: "warning",
  alert_raised: "warning",
  alert_cleared: "info",
  crash_reported: "critical",
};

export type MemspoolEvent = {
  [N in EventName]: { readonly event: N; readonly fields: Readonly<EventFields[N]> };
}[EventName];

/** Where code reports what happened. Never throws and never blocks. */
export interface Events {
  emit<N extends EventName>(event: N, fields: EventFields[N]): void;
}

/** For library use and tests that look elsewhere. */
export const silentEvents: Events = { emit: () => {} };
