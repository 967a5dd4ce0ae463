/**
 * The words that signals are made of. Other programs hold on to them: a code never changes its
 * meaning, and test/pins has them all. docs/EVENTS.md says which event becomes which.
 */

/** What a controller or a person should expect. */
export type SignalControl =
  /** Nothing: something happened that is worth knowing. */
  | "none"
  /** Work goes on, more slowly. */
  | "throttle"
  /** Some of the work is refused. */
  | "shed"
  /** The store is away and is left alone until the next try. */
  | "breaker-open"
  /** The store is being tried. */
  | "breaker-half"
  /** The store works again. */
  | "breaker-close"
  /** A part does less than it should. */
  | "degraded"
  /** What a throttle, a shed or a degradation told of is over. */
  | "recovered";

export type SignalComponent =
  | "server"
  | "capture"
  | "queue"
  | "spool"
  | "ingester"
  | "governor"
  | "sensors"
  | "store"
  | "log"
  | "audit"
  | "alerts";

export const SIGNAL_CODES = [
  "MEM_PRESSURE",
  "MEM_RELIEF",
  "MEM_CRITICAL",
  "PSI_PRE_OOM",
  "PSI_RELIEF",
  "PSI_UNKNOWN",
  "LOOP_DELAY",
  "LOOP_RELIEF",
  "STORE_SLOW",
  "STORE_RELIEF",
  "SENSOR_FAILED",
  "BUF_SAT",
  "BUF_RELIEF",
  "BUF_TRIM",
  "BUF_HELD",
  "DROP_RED",
  "DEGRADED_MODE",
  "WORKER_SCALE_DOWN",
  "WORKER_SCALE_UP",
  "ALERT_RAISED",
  "ALERT_CLEARED",
  "STARTUP",
  "SHUTDOWN",
  "PANIC",
  "MESSAGE_REFUSED",
  "LEADER_ELECTED",
  "LEADER_LOST",
  "STORE_RETRY",
  "STORE_RECOVERED",
  "STORE_MISSING",
  "INGEST_DELAYED",
  "FORGET_DELAYED",
  "CAPTURE_FAILED",
  "RECORD_QUARANTINED",
  "FILE_DAMAGED",
  "FILE_UNREADABLE",
  "FILE_UNKNOWN",
  "LEDGER_FAILED",
  "CLOCK_AHEAD",
  "FSYNC_MISSING",
  "LOG_FAILED",
  "LOG_RECOVERED",
  "LOG_NEAR_LIMIT",
  "LOG_LOST",
] as const;

export type SignalCode = (typeof SIGNAL_CODES)[number];
