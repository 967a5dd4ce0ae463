/**
 * Which signal each event is: one line an event, null for those that are none. Pure.
 *
 * A severity is given only where it differs from the event's own, because one event tells of states
 * that weigh differently. `recoverable` is true unless a person has to act.
 */
import type { EventFields, EventName, PressureSensor, Severity } from "./catalogue.ts";
import type { SignalCode, SignalComponent, SignalControl } from "./signal-codes.ts";

export interface SignalView {
  readonly code: SignalCode;
  readonly control: SignalControl;
  readonly component: SignalComponent;
  readonly message: string;
  /** The event's own unless given. */
  readonly severity?: Severity;
  /** True unless given. */
  readonly recoverable?: boolean;
}

export type SignalRule<N extends EventName> = (fields: EventFields[N]) => SignalView | undefined;

type SignalRules = { readonly [N in EventName]: SignalRule<N> | null };

export const SIGNAL_RULES: SignalRules = {
  server_started: ({ pid }) => told("STARTUP", "server", `Server ${pid} took up its work.`),
  server_stopping: () => told("SHUTDOWN", "server", "The server stops."),
  server_stopped: null,
  message_refused: ({ count }) =>
    told("MESSAGE_REFUSED", "server", `${count} lines on stdin were no messages.`),
  capture_appended: null,
  capture_failed: ({ code }) =>
    told("CAPTURE_FAILED", "capture", `A capture failed (${code}); it was not acknowledged.`, {
      recoverable: false,
    }),
  capture_ingested: null,
  capture_quarantined: ({ attempts }) =>
    told("RECORD_QUARANTINED", "ingester", `A record was set aside after ${attempts} attempts.`, {
      recoverable: false,
    }),
  quarantine_returned: null,
  queue_pruned: ({ disposition, count }) => ({
    ...told(
      "BUF_SAT",
      "queue",
      `The queue was full: ${count} ${count === 1 ? "record was" : "records were"} ${disposition}.`,
    ),
    control: disposition === "dropped" ? "shed" : "throttle",
  }),
  prune_failed: ({ wanted }) => ({
    ...told("BUF_SAT", "queue", `The queue is full, and ${wanted} places could not be made.`),
    control: "shed",
    recoverable: false,
  }),
  segment_damaged: ({ records_lost }) =>
    told("FILE_DAMAGED", "ingester", `A segment is damaged: ${records_lost} records are missing.`, {
      recoverable: false,
    }),
  ledger_write_failed: ({ count }) =>
    told("LEDGER_FAILED", "queue", `${count} ids could not be added to the ledger.`),
  records_forgotten: null,
  retention_applied: null,
  forget_delayed: ({ orders }) =>
    told("FORGET_DELAYED", "ingester", `${orders} orders to forget wait to be tried again.`),
  forget_order_damaged: () =>
    told("FILE_DAMAGED", "ingester", "An order to forget is damaged; ask for it again.", {
      recoverable: false,
    }),
  replays_refused: null,
  envelope_set_aside: null,
  envelope_read_failed: ({ errno }) =>
    told("FILE_UNREADABLE", "ingester", `A queued file could not be read (${errno}).`),
  schema_version_unknown: () =>
    told("FILE_UNKNOWN", "ingester", "A newer memspool wrote an envelope; upgrade to read it.", {
      recoverable: false,
    }),
  id_ahead_ignored: ({ ahead_ms }) =>
    told("CLOCK_AHEAD", "queue", `An id lies ${ahead_ms} ms ahead: a clock was wrong.`),
  directory_fsync_missing: ({ errno }) =>
    told("FSYNC_MISSING", "queue", `Directories can not be synced here (${errno}).`, {
      recoverable: false,
    }),
  recovery_completed: null,
  leader_elected: ({ pid }) =>
    told("LEADER_ELECTED", "ingester", `Process ${pid} drains this data directory.`),
  leader_lost: ({ reason }) =>
    reason === "worker_ended"
      ? {
          ...told("LEADER_LOST", "ingester", "The ingester's thread ended; it is started again."),
          control: "degraded",
          severity: "warning",
        }
      : told("LEADER_LOST", "ingester", `This process drains no more (${reason}).`),
  ingest_delayed: ({ code, retry_in_ms, failures }) =>
    told(
      "INGEST_DELAYED",
      "ingester",
      `Draining failed ${failures} times (${code}); next try in ${Math.round(retry_in_ms)} ms.`,
      { control: "degraded" },
    ),
  store_opened: null,
  store_missing: () =>
    told("STORE_MISSING", "store", "The store is gone; a new one is made.", { recoverable: false }),
  store_unavailable: ({ code }) =>
    told("DEGRADED_MODE", "store", `The store is away (${code}); captures wait in the queue.`, {
      control: "breaker-open",
    }),
  store_retried: ({ away_ms }) =>
    told("STORE_RETRY", "store", `The store is tried again after ${away_ms} ms.`, {
      control: "breaker-half",
    }),
  store_recovered: ({ away_ms }) =>
    told("STORE_RECOVERED", "store", `The store works again after ${away_ms} ms.`, {
      control: "breaker-close",
    }),
  index_renewal_begun: null,
  index_renewed: null,
  store_rebuilt: null,
  backup_written: null,
  log_rotation_failed: ({ error }) => rotationFailed("log", error),
  log_rotation_recovered: () => told("LOG_RECOVERED", "log", "The log rotates again.", OVER),
  log_near_limit: () => told("LOG_NEAR_LIMIT", "log", "The log's files are near their limit."),
  log_backup_deleted: null,
  log_lines_lost: ({ count }) => told("LOG_LOST", "log", `${count} lines of the log were lost.`),
  audit_rotation_failed: ({ error }) => rotationFailed("audit", error),
  audit_rotation_recovered: () =>
    told("LOG_RECOVERED", "audit", "The audit log rotates again.", OVER),
  audit_near_limit: () =>
    told("LOG_NEAR_LIMIT", "audit", "The audit log's files are near their limit."),
  audit_backup_deleted: null,
  backpressure_changed: (changed) => spoolChanged(changed),
  backpressure_warning: ({ kind, count }) => captureWarning(kind, count),
  backpressure_cleared: ({ away_ms }) =>
    told("BUF_RELIEF", "spool", `The disk's use is normal again after ${away_ms} ms.`, OVER),
  backpressure_critical: ({ hard_ms }) =>
    told("BUF_SAT", "spool", `The disk quota's hard limit has held for ${hard_ms} ms.`, {
      control: "shed",
      recoverable: false,
    }),
  archive_trimmed: ({ files, bytes }) =>
    told(
      "BUF_TRIM",
      "spool",
      `${files} old archive ${files === 1 ? "file" : "files"} gave back ${bytes} bytes.`,
    ),
  trim_held_back: ({ files, missing, unreadable }) => {
    const why = `${missing} records are not stored, ${unreadable} files can not be read`;
    return told("BUF_HELD", "spool", `${files} archive files stay: ${why}.`, {
      recoverable: false,
    });
  },
  pressure_raised: ({ sensor, value, limit }) => ({
    ...told(RAISED[sensor], "sensors", `${SENSOR[sensor]} at ${value}, beyond ${limit}.`),
    control: "throttle",
  }),
  pressure_relieved: ({ sensor, value, limit }) =>
    told(RELIEVED[sensor], "sensors", `${SENSOR[sensor]} at ${value}, below ${limit}.`, OVER),
  memory_shedding: ({ rss_bytes, limit_bytes }) =>
    told("MEM_PRESSURE", "sensors", memoryUse(rss_bytes, limit_bytes), { control: "shed" }),
  memory_critical: ({ rss_bytes, limit_bytes }) =>
    told("MEM_CRITICAL", "sensors", memoryUse(rss_bytes, limit_bytes), { control: "shed" }),
  stalls_unknown: () =>
    told("PSI_UNKNOWN", "sensors", "This system has no pressure stall information."),
  governor_changed: (fields) => governorStep(fields),
  sensor_failed: ({ sensor, errno }) =>
    told("SENSOR_FAILED", "sensors", `The sensor ${sensor} could not measure (${errno}).`),
  alert_raised: ({ alert }) =>
    told("ALERT_RAISED", "alerts", `${alert} was raised.`, { recoverable: false }),
  alert_cleared: ({ alert }) => told("ALERT_CLEARED", "alerts", `${alert} was cleared.`, OVER),
  crash_reported: ({ error, thread, fatal }) =>
    told("PANIC", "server", `${error} was thrown in thread ${thread} and caught by nobody.`, {
      control: "degraded",
      recoverable: !fatal,
    }),
};

const OVER = { control: "recovered" } as const;

const SENSOR: Readonly<Record<PressureSensor, string>> = {
  memory: "Memory (% of its limit)",
  stall: "Stalls (% of time)",
  loop: "The event loop's delay (ms)",
  store: "The store's transactions (ms)",
};

const RAISED: Readonly<Record<PressureSensor, SignalCode>> = {
  memory: "MEM_PRESSURE",
  stall: "PSI_PRE_OOM",
  loop: "LOOP_DELAY",
  store: "STORE_SLOW",
};

const RELIEVED: Readonly<Record<PressureSensor, SignalCode>> = {
  memory: "MEM_RELIEF",
  stall: "PSI_RELIEF",
  loop: "LOOP_RELIEF",
  store: "STORE_RELIEF",
};

function told(
  code: SignalCode,
  component: SignalComponent,
  message: string,
  more: Partial<Pick<SignalView, "control" | "severity" | "recoverable">> = {},
): SignalView {
  return { code, control: "none", component, message, ...more };
}

function rotationFailed(component: "log" | "audit", error: string): SignalView {
  const message = `Rotation failed (${error}); lines go on into the current file.`;
  return told("LOG_FAILED", component, message, { control: "degraded" });
}

/** Normal is told by backpressure_cleared, once. */
function spoolChanged({
  to,
  reason,
}: Pick<EventFields["backpressure_changed"], "to" | "reason">): SignalView | undefined {
  if (to === "normal") return undefined;
  const isHard = to === "hard";
  return told("BUF_SAT", "spool", `At the ${to} limit. ${reason}`, {
    control: isHard ? "shed" : "throttle",
    severity: isHard ? "error" : "warning",
  });
}

function captureWarning(
  kind: EventFields["backpressure_warning"]["kind"],
  count: number,
): SignalView {
  const were = count === 1 ? "capture was" : "captures were";
  if (kind === "soft") {
    const message = `${count} ${were} slowed by the disk quota.`;
    return told("BUF_SAT", "capture", message, { control: "throttle" });
  }
  if (kind === "early_drop") {
    const message = `${count} low-priority ${were} refused before the queue was full.`;
    return told("DROP_RED", "capture", message, { control: "shed" });
  }
  if (kind === "memory") {
    const message = `${count} low-priority ${were} refused for lack of memory.`;
    return told("MEM_PRESSURE", "capture", message, { control: "shed" });
  }
  const why = kind === "line" ? "too many waited" : "there is no room on disk";
  return told("BUF_SAT", "capture", `${count} ${were} held up or refused: ${why}.`, {
    control: "shed",
  });
}

function governorStep({ from, to, share_pct, cause }: EventFields["governor_changed"]): SignalView {
  const pace = `The ingester works at ${share_pct} % of its pace`;
  if (cause === "relief") {
    const control = to === "normal" ? "recovered" : "none";
    return told("WORKER_SCALE_UP", "governor", `${pace}.`, { control });
  }
  const severity = "warning";
  if (from !== "degraded" && to === "degraded") {
    return told("DEGRADED_MODE", "governor", `${pace} (${cause}).`, {
      control: "degraded",
      severity,
    });
  }
  return told("WORKER_SCALE_DOWN", "governor", `${pace} (${cause}).`, {
    control: "throttle",
    severity,
  });
}

function memoryUse(rssBytes: number, limitBytes: number): string {
  return `This process uses ${rssBytes} of ${limitBytes} bytes of memory.`;
}
