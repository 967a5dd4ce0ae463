/**
 * What a process sees of pressure: a server its own control; any other the disk, looked at when asked,
 * and the notes of the servers that live on the data directory. Opens nothing.
 */
import { hostname } from "node:os";
import type { Config } from "../config/settings.ts";
import type { PressureSensor } from "../events/catalogue.ts";
import type { ServerNote } from "../events/server-note.ts";
import { readServerNotes } from "../events/server-notes.ts";
import type { Signal } from "../events/signal.ts";
import type { IngesterView } from "../memory/parts.ts";
import {
  EVENTS_SHOWN_MAX,
  type LiveServer,
  type PressureSources,
} from "../memory/pressure-report.ts";
import type { EventView } from "../memory/pressure-shapes.ts";
import type { Clock } from "../platform/clock.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import type { LimitSource, PressureFacts } from "../pressure/pressure-facts.ts";
import { SPOOL_AT_EASE, spoolLimits, spoolReason, spoolState } from "../pressure/quota.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { SpoolMeter } from "../queue/spool-meter.ts";

export interface PressureSeenParts {
  readonly config: Config;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly runDir: string;
  /** Undefined while no control runs in this process. */
  readonly ownFacts: () => PressureFacts | undefined;
  /** Newest first. */
  readonly ownSignals: () => readonly Signal[];
  readonly ingester: () => Promise<Pick<IngesterView, "leader">>;
}

const SENSORS: readonly string[] = [
  "memory",
  "stall",
  "loop",
  "store",
] satisfies readonly PressureSensor[];

export function pressureSeen(parts: PressureSeenParts): PressureSources {
  const { config, layout, clock, runDir, ingester } = parts;
  const limits = spoolLimits(config);
  const meter = new SpoolMeter({ fs: nodeDurableFs, layout, clock });
  const servers = async (): Promise<LiveServer[]> => {
    const [notes, { leader }] = await Promise.all([
      readServerNotes({ fs: nodeDurableFs, dir: runDir, clock, host: hostname() }),
      ingester(),
    ]);
    return notes.map((note) =>
      liveServer(note, leader?.pid === note.pid && leader.host === note.host),
    );
  };
  return {
    limits: {
      quotaMb: config["spool.quotaMb"],
      softPct: config["spool.softPct"],
      hardPct: config["spool.hardPct"],
    },
    clock,
    own: () => {
      const facts = parts.ownFacts();
      return facts && { facts, events: lastOf(parts.ownSignals()) };
    },
    measure: async () => (await meter.measure()).usage,
    judge: (usage) => {
      const load = { usage, ownBytes: 0, heldBackBytes: 0, nowMs: clock.monotonicMs() };
      const { state } = spoolState(SPOOL_AT_EASE, load, limits);
      return { state, reason: spoolReason(state, load, limits) };
    },
    servers,
  };
}

/** A server's note in the words of the status. */
export function liveServer(note: ServerNote, leads: boolean): LiveServer {
  const { spool, gate, memory, governor, ack } = note;
  return {
    leads,
    ...(spool && {
      spool: { state: spool.state, sinceMs: spool.since_ms, reason: REASONS[spool.state] },
    }),
    ...(gate && {
      gate: {
        waiting: gate.waiting,
        delayed: gate.delayed,
        refusedByQuota: gate.refused_by_quota,
        refusedEarly: gate.refused_early,
        refusedByMemory: gate.refused_by_memory,
      },
    }),
    ...(memory && {
      memory: {
        level: memory.level,
        rssBytes: memory.rss_bytes,
        limitBytes: memory.limit_bytes ?? undefined,
        source: sourceOf(memory.source),
      },
    }),
    ...(governor && {
      governor: {
        state: governor.state,
        share: governor.share,
        sinceMs: governor.since_ms,
        cause: sensorOf(governor.cause),
      },
    }),
    ...(ack && { ackP50Ms: ack.p50_ms, ackP99Ms: ack.p99_ms }),
    events: lastOf(note.signals),
  };
}

/** @param signals newest first */
function lastOf(signals: readonly Signal[]): EventView[] {
  return signals.slice(0, EVENTS_SHOWN_MAX).map(eventView).reverse();
}

function eventView({ time, severity, code, message }: Signal): EventView {
  return { time, severity, code, message };
}

/**
 * A look alone may show less: a server keeps its state until use is well below the limit, and until
 * its own next look.
 */
const REASONS: Readonly<Record<"normal" | "soft" | "hard", string>> = {
  normal: "",
  soft: "A server keeps to the soft limit until it looks again and finds enough room.",
  hard: "A server keeps to the hard limit until it looks again and finds enough room.",
};
const SOURCES: readonly string[] = [
  "cgroup v2",
  "cgroup v1",
  "heap",
  "setting",
] satisfies readonly LimitSource[];

function sourceOf(source: string | null): LimitSource | undefined {
  return source !== null && SOURCES.includes(source) ? (source as LimitSource) : undefined;
}

function sensorOf(cause: string | null): PressureSensor | undefined {
  return cause !== null && SENSORS.includes(cause) ? (cause as PressureSensor) : undefined;
}
