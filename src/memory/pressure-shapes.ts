/**
 * What the status says of pressure: the disk's quota, who waits, what is slowed and why, and the last
 * events. Shapes of the wire, as in memory.ts. Times are ISO 8601, sizes bytes unless a name says
 * otherwise.
 */
import type { GovernorState, PressureSensor, Severity } from "../events/catalogue.ts";
import type { LimitSource, MemoryLevel, SpoolState } from "../pressure/pressure-facts.ts";

/** Exactly these six, five integers and a string: other programs read them. */
export interface SpoolBlock {
  /** MiB, as all `_mb` here. */
  quota_mb: number;
  /** Rounded down. */
  used_mb: number;
  soft_pct: number;
  hard_pct: number;
  state: SpoolState;
  /** Captures that the quota refused, never acknowledged ones, since the servers started. */
  dropped_batches: number;
}

/** The same exactly. */
export interface SpoolBytes {
  /** pending + spilled + done: what the quota counts. */
  used: number;
  quota: number;
  pending: number;
  spilled: number;
  done: number;
  /** That part of done which may be trimmed. */
  trimmable: number;
  /** Not counted: files on their way, and what was set aside. */
  temp: number;
  quarantine: number;
  /** Of the file system. */
  free: number;
  /** Null where the file system makes inodes as it needs them. */
  free_inodes: number | null;
  measured_ms_ago: number;
}

/**
 * In a server of itself; elsewhere of all live servers of the data directory together: sums of
 * counts, the worst of levels and times, the governor of the one that ingests.
 */
export interface PressureView {
  /** The worst of disk and memory: soft slows or refuses low priority, hard holds captures up. */
  state: SpoolState;
  /** One sentence; "" when nothing is slowed. */
  reason: string;
  /** Since when; null when normal or not known. */
  since: string | null;
  /** Captures in the line now. */
  waiting: number;
  /** Captures that are slowed now. */
  delayed: number;
  /** Since the servers started. */
  refused: { quota: number; early_drop: number; memory: number };
  memory: {
    level: MemoryLevel;
    /** Null without a server. */
    rss_bytes: number | null;
    /** Null where nothing limits it. */
    limit_bytes: number | null;
    source: LimitSource | null;
  };
  /** `some avg10` of Linux PSI, 0–100. */
  stalls: { known: boolean; cpu: number; memory: number; io: number };
  /** 99th percentile of the last second. */
  loop_delay_ms: number;
  governor: {
    state: GovernorState;
    /** Of the full pace. */
    share_pct: number;
    since: string | null;
    cause: PressureSensor | null;
  };
  /** Of captures acknowledged in the last minute; 0 without any. */
  ack_ms: { p50: number; p99: number };
}

export interface EventView {
  time: string;
  severity: Severity;
  code: string;
  message: string;
}

/** These parts of the status. */
export interface PressureReport {
  spool: SpoolBlock;
  /** Null while the disk can not be looked at. */
  spool_bytes: SpoolBytes | null;
  pressure: PressureView;
  /** Oldest first. */
  events: EventView[];
}
