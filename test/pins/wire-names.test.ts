/**
 * Literals that other programs hold on to. A failure here is not a bug: it says that a release would
 * break somebody. Change a literal only together with CHANGELOG.md.
 */
import { expect, it } from "vitest";
import { envName, SETTINGS } from "../../src/config/settings.ts";
import { ERROR_CODES } from "../../src/errors.ts";
import { EVENT_SEVERITY } from "../../src/events/catalogue.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import { encodeEnvelope } from "../../src/record/envelope.ts";
import { PROMPTS } from "../../src/server/prompts/catalogue.ts";
import { advertiseInput, advertiseOutput } from "../../src/tools/advertise.ts";
import { TOOLS } from "../../src/tools/catalogue.ts";

it("the bytes of an envelope", () => {
  const surface = "e\u0301 \ud800 \u0000 \u{1f30d}\r\n";
  const json = JSON.stringify({ surface, session_id: "s", tags: ["a"] });
  const ulid = "01JNXE5M00ABCDEFGHJKMNPQRS";
  const bytes = encodeEnvelope(ulid, "2025-03-09T10:00:00.000Z", json, textSha256(surface));
  expect(bytes.toString("utf8")).toBe(
    '{"ulid":"01JNXE5M00ABCDEFGHJKMNPQRS","appended_at":"2025-03-09T10:00:00.000Z",' +
      '"record":{"surface":"e\u0301 \\ud800 \\u0000 \u{1f30d}\\r\\n","session_id":"s","tags":["a"]},' +
      '"schema_version":1,' +
      '"sha256":"58ff3fc51de4dc57c46111963826ff51151774856f2c10ab575e13ae00e2a658",' +
      '"checksum":"0c491692a26d59c4b3632b97993d043af232c429d1ccd75142cf9cd66fd49d45"}',
  );
});

it("the codes of errors", () => {
  expect(Object.keys(ERROR_CODES).sort()).toEqual([
    "BACKPRESSURE",
    "BACKUP_INVALID",
    "BATCH_TOO_LARGE",
    "CAPTURE_FAILED",
    "CLIENT_CONFIG_CHANGED",
    "CLIENT_CONFIG_INVALID",
    "CLIENT_CONFIG_UNUSABLE",
    "CLIENT_ENTRY_FOREIGN",
    "CONFIG_INVALID",
    "CONFIRM_INVALID",
    "CURSOR_INVALID",
    "DATA_DIR_UNUSABLE",
    "ENVELOPE_CHECKSUM_MISMATCH",
    "ENVELOPE_ID_MISMATCH",
    "ENVELOPE_NOT_JSON",
    "ENVELOPE_RECORD_INVALID",
    "ENVELOPE_UNREADABLE",
    "FLUSH_CANCELLED",
    "IDEMPOTENCY_CONFLICT",
    "IMPORT_INVALID",
    "INSTALL_TEMPORARY",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "LEASE_HELD",
    "NOT_FOUND",
    "PRIVACY_FAILED",
    "QUEUE_FULL",
    "REBUILD_INCOMPLETE",
    "RECORD_INVALID",
    "RECORD_TOO_LARGE",
    "SCHEMA_VERSION_UNSUPPORTED",
    "SHUTTING_DOWN",
    "STORE_REFUSED",
    "STORE_TOO_NEW",
    "STORE_UNAVAILABLE",
    "TARGET_EXISTS",
    "ULID_CONFLICT",
    "UNSAFE_PATH",
  ]);
});

it("the prompts and their arguments", () => {
  const required = (name: string, is: boolean) => (is ? name : `${name}?`);
  expect(
    PROMPTS.map((prompt) => [
      prompt.name,
      ...prompt.arguments.map((argument) => required(argument.name, argument.required)),
    ]),
  ).toEqual([
    ["recall", "topic", "project?"],
    ["session-digest", "session_id", "project?"],
  ]);
});

it("the names of events", () => {
  expect(Object.keys(EVENT_SEVERITY).sort()).toEqual([
    "alert_cleared",
    "alert_raised",
    "archive_trimmed",
    "audit_backup_deleted",
    "audit_near_limit",
    "audit_rotation_failed",
    "audit_rotation_recovered",
    "backpressure_changed",
    "backpressure_cleared",
    "backpressure_critical",
    "backpressure_warning",
    "backup_written",
    "capture_appended",
    "capture_failed",
    "capture_ingested",
    "capture_quarantined",
    "crash_reported",
    "directory_fsync_missing",
    "envelope_read_failed",
    "envelope_set_aside",
    "forget_delayed",
    "forget_order_damaged",
    "governor_changed",
    "id_ahead_ignored",
    "index_renewal_begun",
    "index_renewed",
    "ingest_delayed",
    "leader_elected",
    "leader_lost",
    "ledger_write_failed",
    "log_backup_deleted",
    "log_lines_lost",
    "log_near_limit",
    "log_rotation_failed",
    "log_rotation_recovered",
    "memory_critical",
    "memory_shedding",
    "message_refused",
    "pressure_raised",
    "pressure_relieved",
    "prune_failed",
    "quarantine_returned",
    "queue_pruned",
    "records_forgotten",
    "recovery_completed",
    "replays_refused",
    "retention_applied",
    "schema_version_unknown",
    "segment_damaged",
    "sensor_failed",
    "server_started",
    "server_stopped",
    "server_stopping",
    "stalls_unknown",
    "store_missing",
    "store_opened",
    "store_rebuilt",
    "store_recovered",
    "store_retried",
    "store_unavailable",
    "trim_held_back",
  ]);
});

it("the environment variables of settings", () => {
  expect(Object.keys(SETTINGS).map(envName).sort()).toEqual([
    "MEMSPOOL_EARLY_DROP_FROM_PCT",
    "MEMSPOOL_EARLY_DROP_REFUSE_PCT",
    "MEMSPOOL_GOVERNOR_COOL_DOWN_MS",
    "MEMSPOOL_GOVERNOR_FLOOR_PCT",
    "MEMSPOOL_GOVERNOR_LOOP_DELAY_MS",
    "MEMSPOOL_GOVERNOR_STORE_MS",
    "MEMSPOOL_HOME",
    "MEMSPOOL_HOOK_RECALL",
    "MEMSPOOL_HOOK_RECALL_CHARS",
    "MEMSPOOL_HOOK_TOOLS",
    "MEMSPOOL_INGEST_BATCH_RECORDS",
    "MEMSPOOL_INGEST_ENABLED",
    "MEMSPOOL_INGEST_POLL_MS",
    "MEMSPOOL_LOG_BACKUPS",
    "MEMSPOOL_LOG_FILE",
    "MEMSPOOL_LOG_LEVEL",
    "MEMSPOOL_LOG_MAX_BYTES",
    "MEMSPOOL_MEMORY_CRITICAL_PCT",
    "MEMSPOOL_MEMORY_LIMIT_BYTES",
    "MEMSPOOL_MEMORY_RELIEF_PCT",
    "MEMSPOOL_MEMORY_SHED_PCT",
    "MEMSPOOL_MEMORY_THROTTLE_PCT",
    "MEMSPOOL_PRIVACY_PATTERNS",
    "MEMSPOOL_PRIVACY_PRIVATE_SPANS",
    "MEMSPOOL_PRIVACY_SECRETS",
    "MEMSPOOL_PROJECT",
    "MEMSPOOL_PROJECT_DETECT",
    "MEMSPOOL_QUEUE_MAX_ATTEMPTS",
    "MEMSPOOL_QUEUE_MAX_RECORDS",
    "MEMSPOOL_QUEUE_OVERFLOW",
    "MEMSPOOL_RECORD_MAX_BYTES",
    "MEMSPOOL_RETENTION_DAYS",
    "MEMSPOOL_RETENTION_PROJECTS",
    "MEMSPOOL_SPOOL_DELAY_MS",
    "MEMSPOOL_SPOOL_FREE_INODES_MIN",
    "MEMSPOOL_SPOOL_FREE_MB_MIN",
    "MEMSPOOL_SPOOL_HARD_PCT",
    "MEMSPOOL_SPOOL_QUOTA_MB",
    "MEMSPOOL_SPOOL_SOFT_PCT",
    "MEMSPOOL_SPOOL_WAIT_BYTES",
    "MEMSPOOL_SPOOL_WAIT_MS",
    "MEMSPOOL_SPOOL_WAIT_RECORDS",
    "MEMSPOOL_STALL_PCT",
  ]);
});

/** Arguments as `name type`, those that are required with `!`; and the fields of the answer. */
function shapeOf({ name, inputSchema, outputSchema }: (typeof TOOLS)[number]): string[] {
  const { properties, required = [] } = advertiseInput(inputSchema);
  const given = Object.entries(properties).map(([argument, schema]) => {
    const { type, enum: values } = schema as { type?: string; enum?: string[] };
    return `${argument}${required.includes(argument) ? "!" : ""} ${values?.join("|") ?? type}`;
  });
  const answer = Object.keys(advertiseOutput(outputSchema).properties);
  return [name, given.join(", "), answer.join(", ")];
}

const RECORD =
  "surface! string, cue string, tier working|episodic|semantic|procedural, session_id string, " +
  "role user|assistant|system|tool, project string, source string, occurred_at string, tags array, " +
  "metadata object, priority high|normal|low, idempotency_key string, supersedes array, " +
  "retry_ulid string";
const FILTER =
  "project string, session_id string, role user|assistant|system|tool, " +
  "tier working|episodic|semantic|procedural, source string, tags array, since string, until string";

it("the tools, their arguments and the fields of their answers", () => {
  expect(TOOLS.map(shapeOf)).toEqual([
    ["memory_capture", RECORD, "ulid, sha256, state, appended_at, redacted, error"],
    ["memory_capture_batch", "records! array", "receipts, error"],
    [
      "memory_search",
      `query! string, context integer, explain boolean, limit integer, cursor string, ${FILTER}`,
      "results, next_cursor, unsearched, store_error, error",
    ],
    [
      "memory_get",
      "ulid! string, offset integer, length integer",
      "record, total_chars, next_offset, error",
    ],
    [
      "memory_recent",
      `list records|projects|sessions|tags, order newest|oldest, limit integer, cursor string, ${FILTER}`,
      "records, names, next_cursor, unsearched, store_error, error",
    ],
    [
      "memory_receipt",
      "ulid! string",
      "ulid, state, sha256, appended_at, duplicate_of, reason, forgotten_at, forget_reason, " +
        "store_error, error",
    ],
    [
      "memory_forget",
      "ulid string, filter object, dry_run boolean, confirm string, reason string",
      "state, count, ulids, confirm, request, unsearched, remains, advice, error",
    ],
    [
      "queue_status",
      "",
      "state, reasons, spool, spool_bytes, pressure, queue, counters, ingester, ingest_rate, " +
        "store, events, hooks, privacy, retention, error",
    ],
    ["queue_flush", "timeout_ms integer", "drained, remaining, ms, error"],
    ["queue_retry", "ulid string, limit integer", "returned, outcomes, remaining, error"],
  ]);
});
