import { describe, expect, it } from "vitest";
import { IngestRate, noteContent } from "../../src/app/note-content.ts";
import type { Snapshot } from "../../src/events/flight-recorder.ts";
import { type Signal, signalOf } from "../../src/events/signal.ts";
import type { PressureFacts } from "../../src/pressure/pressure-facts.ts";

function snapshot(depth: number, missed = 0): Snapshot {
  return {
    ...{ at: "2026-03-01T09:30:00.000Z", missed, heap_bytes: 1, rss_bytes: 2 },
    ...{ depth, ack_p50_ms: 1, ack_p99_ms: depth * 2, loop_delay_ms: null },
    ...{ spool_state: null, used_bytes: null, waiting: null, memory_level: null },
    ...{ governor_state: null, governor_share: null },
  };
}

function signal(pid: number): Signal {
  return signalOf({ event: "server_started", fields: { pid, version: "1" } }, 0) as Signal;
}

const facts: PressureFacts = {
  spool: {
    ...{ state: "soft", sinceMs: 7, reason: "used", usage: undefined },
    ...{ quotaBytes: 100, softPct: 90, hardPct: 100, relievable: false },
  },
  gate: {
    ...{ waiting: 1, waitingBytes: 10, delayed: 2 },
    ...{ refusedByQuota: 3, refusedEarly: 4, refusedByMemory: 5 },
  },
  memory: { level: "normal", rssBytes: 1, limitBytes: undefined, source: undefined },
  stall: { known: false, cpu: 0, memory: 0, io: 0 },
  loopDelayMs: 1,
  cpuQuota: undefined,
  governor: { state: "degraded", share: 0.5, sinceMs: 7, cause: "stall" },
  ackP50Ms: 1.5,
  ackP99Ms: 9.5,
};

describe("a note's content", () => {
  it("takes what pressure control knows", () => {
    const content = noteContent(facts, { snapshots: () => [], signals: () => [] }, 12.5);
    expect(content).toEqual({
      spool: { state: "soft", since_ms: 7, used_bytes: null, dropped: 3 },
      gate: { waiting: 1, delayed: 2, refused_by_quota: 3, refused_early: 4, refused_by_memory: 5 },
      memory: { level: "normal", rss_bytes: 1, limit_bytes: null, source: null },
      governor: { state: "degraded", share: 0.5, since_ms: 7, cause: "stall" },
      ack: { p50_ms: 1.5, p99_ms: 9.5 },
      ingest_rate: 12.5,
      signals: [],
      history: { depth: [], ack_p99_ms: [] },
    });
  });

  it("says nothing of pressure where nobody measures it", () => {
    const content = noteContent(undefined, { snapshots: () => [], signals: () => [] }, null);
    expect(content).toMatchObject({
      spool: null,
      gate: null,
      memory: null,
      governor: null,
      ack: null,
    });
  });

  it("shows the last minute second by second, with gaps, and ten signals, newest first", () => {
    const snapshots = Array.from({ length: 70 }, (_, index) => snapshot(index));
    const signals = Array.from({ length: 12 }, (_, index) => signal(index));
    snapshots[69] = snapshot(69, 2);
    const content = noteContent(
      undefined,
      { snapshots: () => snapshots, signals: () => signals },
      null,
    );
    expect(content.history.depth).toHaveLength(60);
    expect(content.history.depth.slice(-4)).toEqual([68, null, null, 69]);
    expect(content.history.ack_p99_ms.at(-1)).toBe(138);
    expect(content.signals.map(({ context }) => context.pid)).toEqual([
      ...[11, 10, 9, 8, 7, 6, 5, 4, 3, 2],
    ]);
  });
});

describe("the rate of ingestion", () => {
  it("is records a second over the last minute", () => {
    const rate = new IngestRate();
    expect(rate.perSecond).toBeNull();
    for (let second = 0; second <= 200; second++) {
      rate.note(second * 1_000, second < 140 ? 0 : (second - 140) * 50);
    }
    expect(rate.perSecond).toBe(50);
  });

  it("begins anew with a new ingester, and is unknown without one", () => {
    const rate = new IngestRate();
    rate.note(0, 1_000);
    rate.note(1_000, 1_010);
    expect(rate.perSecond).toBe(10);
    rate.note(2_000, 4);
    expect(rate.perSecond).toBeNull();
    rate.note(3_000, 6);
    expect(rate.perSecond).toBe(2);
    rate.note(4_000, undefined);
    expect(rate.perSecond).toBeNull();
  });
});
