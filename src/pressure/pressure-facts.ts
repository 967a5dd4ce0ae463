/** What the pressure control of one process says of itself, for status, notes and the recorder. */
import type { GovernorState, PressureSensor } from "../events/catalogue.ts";
import type { SpoolUsage } from "../queue/spool-usage.ts";

/** Of the disk quota: see quota.ts for when it is which. */
export type SpoolState = "normal" | "soft" | "hard";

export interface SpoolFacts {
  readonly state: SpoolState;
  /** Milliseconds since 1970, when this state began. */
  readonly sinceMs: number;
  /** One sentence; "" when normal. */
  readonly reason: string;
  /** The last look, and this process's own appends since as pending; undefined before the first. */
  readonly usage: SpoolUsage | undefined;
  readonly quotaBytes: number;
  readonly softPct: number;
  readonly hardPct: number;
}

/** Captures that are held up now, and those that were refused since the process started. */
export interface GateFacts {
  /** In the line at the hard limit. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Slowed above the soft limit. */
  readonly delayed: number;
  /** By quota or free space: the `dropped_batches` of the spool block. */
  readonly refusedByQuota: number;
  readonly refusedEarly: number;
  readonly refusedByMemory: number;
}

export type MemoryLevel = "normal" | "throttle" | "shed" | "critical";
export type LimitSource = "cgroup v2" | "cgroup v1" | "heap" | "setting";

export interface MemoryFacts {
  readonly level: MemoryLevel;
  readonly rssBytes: number;
  /** Undefined where nothing limits it. */
  readonly limitBytes: number | undefined;
  readonly source: LimitSource | undefined;
}

export interface StallFacts {
  /** Whether the system has pressure stall information at all. */
  readonly known: boolean;
  /** `some avg10` of each, 0–100. */
  readonly cpu: number;
  readonly memory: number;
  readonly io: number;
}

export interface GovernorFacts {
  readonly state: GovernorState;
  /** Of the ingester's full pace, from the floor to 1. */
  readonly share: number;
  readonly sinceMs: number;
  /** What lowered it last; undefined while normal. */
  readonly cause: PressureSensor | undefined;
}

export interface PressureFacts {
  readonly spool: SpoolFacts;
  readonly gate: GateFacts;
  readonly memory: MemoryFacts;
  readonly stall: StallFacts;
  /** 99th percentile of the last second, milliseconds. */
  readonly loopDelayMs: number;
  /** CPUs that this process may use, where a cgroup limits them. */
  readonly cpuQuota: number | undefined;
  readonly governor: GovernorFacts;
  /** Of captures acknowledged in the last minute, milliseconds; 0 without any. */
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
}
