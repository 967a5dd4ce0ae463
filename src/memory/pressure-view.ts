/**
 * What is known of pressure, put into the status's words. Pure.
 *
 * Guarantees: the spool block's numbers are integers, and used_mb never says more than is used.
 */
import type {
  GateFacts,
  GovernorFacts,
  MemoryFacts,
  SpoolState,
  StallFacts,
} from "../pressure/pressure-facts.ts";
import { type SpoolUsage, usedBytes } from "../queue/spool-usage.ts";
import type { PressureView, SpoolBlock, SpoolBytes } from "./pressure-shapes.ts";

export const MIB = 1_048_576;
const ORDER: readonly SpoolState[] = ["normal", "soft", "hard"];

export interface SpoolLimits {
  readonly quotaMb: number;
  readonly softPct: number;
  readonly hardPct: number;
}

/** What the disk is, and since when if that is known. */
export interface SpoolView {
  readonly state: SpoolState;
  readonly reason: string;
  readonly sinceMs: number | undefined;
  readonly usage: SpoolUsage | undefined;
}

/** What one server says of itself, by its own control or by its note; undefined is not known. */
export interface ServerView {
  /** Whether it is the one that ingests. */
  readonly leads: boolean;
  readonly spool?: Pick<SpoolView, "state" | "reason"> & { readonly sinceMs: number };
  readonly gate?: Omit<GateFacts, "waitingBytes">;
  readonly memory?: MemoryFacts;
  readonly stall?: StallFacts;
  readonly loopDelayMs?: number;
  readonly governor?: GovernorFacts;
  readonly ackP50Ms?: number;
  readonly ackP99Ms?: number;
}

export function spoolBlock(
  limits: SpoolLimits,
  spool: Pick<SpoolView, "state" | "usage">,
  servers: readonly ServerView[],
): SpoolBlock {
  return {
    quota_mb: limits.quotaMb,
    used_mb: spool.usage === undefined ? 0 : Math.floor(usedBytes(spool.usage) / MIB),
    soft_pct: limits.softPct,
    hard_pct: limits.hardPct,
    state: spool.state,
    dropped_batches: sum(servers, (gate) => gate.refusedByQuota),
  };
}

/** @param nowMs of the same monotonic clock as the look's */
export function spoolBytes(limits: SpoolLimits, usage: SpoolUsage, nowMs: number): SpoolBytes {
  return {
    used: usedBytes(usage),
    quota: limits.quotaMb * MIB,
    pending: usage.pendingBytes,
    spilled: usage.spilledBytes,
    done: usage.doneBytes,
    trimmable: usage.trimmableBytes,
    temp: usage.tempBytes,
    quarantine: usage.quarantineBytes,
    free: usage.freeBytes,
    free_inodes: Number.isFinite(usage.freeInodes) ? usage.freeInodes : null,
    measured_ms_ago: Math.max(0, Math.round(nowMs - usage.atMs)),
  };
}

/** The worse of two states. */
export function worse(one: SpoolState, other: SpoolState): SpoolState {
  return ORDER.indexOf(one) >= ORDER.indexOf(other) ? one : other;
}

export function pressureView(spool: SpoolView, servers: readonly ServerView[]): PressureView {
  const memory = worstMemory(servers);
  // Another process's pace matters to nobody but itself: only the one that ingests is slowed.
  const { governor } = servers.find(({ leads }) => leads) ?? servers[0] ?? {};
  const refused = {
    quota: sum(servers, (gate) => gate.refusedByQuota),
    early_drop: sum(servers, (gate) => gate.refusedEarly),
    memory: sum(servers, (gate) => gate.refusedByMemory),
  };
  const state = worse(spool.state, stateOfMemory(memory.level));
  const governorView: PressureView["governor"] = {
    state: governor?.state ?? "normal",
    share_pct: Math.round((governor?.share ?? 1) * 100),
    since: governor?.sinceMs === undefined ? null : iso(governor.sinceMs),
    cause: governor?.cause ?? null,
  };
  const reasons = [spoolReason(spool), memoryReason(memory), governorReason(governorView)];
  return {
    state,
    reason: reasons.find((reason) => reason !== "") ?? "",
    since: sinceOf(spool, governorView),
    waiting: sum(servers, (gate) => gate.waiting),
    delayed: sum(servers, (gate) => gate.delayed),
    refused,
    memory,
    stalls: servers.find(({ stall }) => stall !== undefined)?.stall ?? {
      known: false,
      cpu: 0,
      memory: 0,
      io: 0,
    },
    loop_delay_ms: worst(servers, ({ loopDelayMs }) => loopDelayMs),
    governor: governorView,
    ack_ms: {
      p50: worst(servers, ({ ackP50Ms }) => ackP50Ms),
      p99: worst(servers, ({ ackP99Ms }) => ackP99Ms),
    },
  };
}

const LEVELS = ["normal", "throttle", "shed", "critical"] as const;

/** Of the server that is worst off, by level and then by size. */
function worstMemory(servers: readonly ServerView[]): PressureView["memory"] {
  const [worst] = servers
    .flatMap(({ memory }) => memory ?? [])
    .sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level) || b.rssBytes - a.rssBytes);
  return {
    level: worst?.level ?? "normal",
    rss_bytes: worst?.rssBytes ?? null,
    limit_bytes: worst?.limitBytes ?? null,
    source: worst?.source ?? null,
  };
}

/** Short of memory only low-priority captures are refused: all others go on. */
function stateOfMemory(level: PressureView["memory"]["level"]): SpoolState {
  return level === "normal" ? "normal" : "soft";
}

function spoolReason({ state, reason }: SpoolView): string {
  return state === "normal" ? "" : reason;
}

export function memoryReason({ level, rss_bytes, limit_bytes, source }: PressureView["memory"]) {
  if (level === "normal") return "";
  const share =
    rss_bytes === null || limit_bytes === null
      ? ""
      : ` is at ${Math.round((rss_bytes / limit_bytes) * 100)} % of its limit (${source})`;
  const effect =
    level === "throttle" ? "ingestion is slowed" : "low-priority captures are refused, too";
  return `Memory${share || " is short"}: ${effect}.`;
}

const CAUSES: Readonly<Record<NonNullable<PressureView["governor"]["cause"]>, string>> = {
  memory: "memory is short",
  stall: "the machine is overloaded",
  loop: "the server's own thread is late",
  store: "the store is slow",
};

export function governorReason({ state, share_pct, cause }: PressureView["governor"]): string {
  if (state === "normal") return "";
  const why = cause === null ? "" : ` because ${CAUSES[cause]}`;
  return state === "degraded"
    ? `Ingestion is slowed to ${share_pct} % of its pace${why}.`
    : `Ingestion gains pace again and is at ${share_pct} %.`;
}

function sinceOf(spool: SpoolView, governor: PressureView["governor"]): string | null {
  if (spool.state !== "normal") return spool.sinceMs === undefined ? null : iso(spool.sinceMs);
  return governor.state === "normal" ? null : governor.since;
}

function sum(
  servers: readonly ServerView[],
  of: (gate: NonNullable<ServerView["gate"]>) => number,
): number {
  return servers.reduce((total, { gate }) => total + (gate === undefined ? 0 : of(gate)), 0);
}

/** Milliseconds, to a tenth. */
function worst(servers: readonly ServerView[], of: (server: ServerView) => number | undefined) {
  const ms = Math.max(0, ...servers.map((server) => of(server) ?? 0));
  return Math.round(ms * 10) / 10;
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
