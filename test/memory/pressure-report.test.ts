import { describe, expect, it } from "vitest";
import {
  EVENTS_SHOWN_MAX,
  type LiveServer,
  type PressureSources,
  pressureReport,
} from "../../src/memory/pressure-report.ts";
import type { PressureFacts, SpoolState } from "../../src/pressure/pressure-facts.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { noPressure } from "../support/no-pressure.ts";
import { calmFacts, SINCE_MS, usageOf } from "../support/pressure-facts.ts";

const MIB = 1_048_576;
const GATE = calmFacts().gate;

function sources(changes: Partial<PressureSources> = {}): PressureSources {
  return { ...noPressure(new ManualClock()), measure: async () => usageOf(), ...changes };
}

function ofOwn(facts: Partial<PressureFacts>) {
  return pressureReport(sources({ own: () => ({ facts: calmFacts(facts), events: [] }) }));
}

function server(facts: Partial<PressureFacts>, leads = false, events: LiveServer["events"] = []) {
  return { ...calmFacts(facts), leads, events };
}

function inState(state: SpoolState, sinceMs = SINCE_MS): Partial<PressureFacts> {
  return { spool: { ...calmFacts().spool, state, sinceMs, reason: `The disk is ${state}.` } };
}

const event = (second: number) => ({
  time: new Date(SINCE_MS + second * 1_000).toISOString(),
  severity: "warning" as const,
  code: "MEM_PRESSURE",
  message: `${second}`,
});

describe("the spool block", () => {
  it("P5: has exactly six keys: five integers, rounded down, and the state", async () => {
    const usage = usageOf({
      pendingBytes: 3 * MIB,
      spilledBytes: 2 * MIB,
      doneBytes: MIB - 1,
      trimmableBytes: 7,
      tempBytes: 90 * MIB,
      quarantineBytes: 80 * MIB,
      freeBytes: 123.5 * MIB,
    });
    const spool = { ...calmFacts().spool, usage };
    const gate = { ...GATE, refusedByQuota: 4, refusedEarly: 2, refusedByMemory: 1 };
    const report = await ofOwn({ spool, gate });
    expect(report.spool).toEqual({
      quota_mb: 512,
      used_mb: 5,
      soft_pct: 90,
      hard_pct: 100,
      state: "normal",
      dropped_batches: 4,
    });
    const numbers = Object.values(report.spool).filter((value) => typeof value === "number");
    expect(numbers.every(Number.isInteger)).toBe(true);
    expect(report.spool_bytes).toEqual({
      used: 6 * MIB - 1,
      quota: 512 * MIB,
      pending: 3 * MIB,
      spilled: 2 * MIB,
      done: MIB - 1,
      trimmable: 7,
      temp: 90 * MIB,
      quarantine: 80 * MIB,
      free: 123.5 * MIB,
      free_inodes: 1_000_000,
      measured_ms_ago: expect.any(Number),
    });
    expect(report.pressure.refused).toEqual({ quota: 4, early_drop: 2, memory: 1 });
  });

  it("P5: counts what all live servers refused, where nobody knows it of itself", async () => {
    const refusing = (refusedByQuota: number) =>
      server({ gate: { ...GATE, refusedByQuota, waiting: 2, delayed: 3 } });
    const report = await pressureReport(
      sources({ servers: async () => [refusing(5), refusing(7)] }),
    );
    expect(report.spool.dropped_batches).toBe(12);
    expect(report.pressure).toMatchObject({ waiting: 4, delayed: 6, refused: { quota: 12 } });
  });

  it("P5: without a server the disk is looked at each time, and judged", async () => {
    let looks = 0;
    const measure = async () => usageOf({ pendingBytes: ++looks * 200 * MIB });
    const judge: PressureSources["judge"] = ({ pendingBytes }) =>
      pendingBytes < 512 * MIB
        ? { state: "normal", reason: "" }
        : { state: "hard", reason: "The disk is full." };
    const alone = sources({ measure, judge });
    const seen = [];
    for (let n = 0; n < 3; n++) {
      const { spool, pressure } = await pressureReport(alone);
      seen.push([spool.used_mb, spool.state, pressure.reason, pressure.since]);
    }
    expect(seen).toEqual([
      [200, "normal", "", null],
      [400, "normal", "", null],
      [600, "hard", "The disk is full.", null],
    ]);
  });

  it("P5: a server that looked never yet is helped out with a look, and the control's is not repeated", async () => {
    const facts = calmFacts();
    let looks = 0;
    const measure = async () => {
      looks++;
      return usageOf({ doneBytes: 9 * MIB });
    };
    const own = (usage: PressureFacts["spool"]["usage"]) => () => ({
      facts: { ...facts, spool: { ...facts.spool, usage } },
      events: [],
    });
    const before = await pressureReport(sources({ own: own(undefined), measure }));
    const after = await pressureReport(sources({ own: own(usageOf()), measure }));
    expect([before.spool.used_mb, after.spool.used_mb, looks]).toEqual([9, 0, 1]);
  });

  it("P5: a disk that can not be looked at has no bytes, and the rest is told", async () => {
    const report = await pressureReport(noPressure(new ManualClock()));
    expect(report.spool_bytes).toBeNull();
    expect(report.spool).toMatchObject({ used_mb: 0, state: "normal" });
  });

  it("P5: a file system that makes inodes as it needs them has no number of them", async () => {
    const measure = async () => usageOf({ freeInodes: Number.POSITIVE_INFINITY });
    expect((await pressureReport(sources({ measure }))).spool_bytes?.free_inodes).toBeNull();
  });
});

describe("pressure", () => {
  it("R1: of a server that is well", async () => {
    expect((await ofOwn({})).pressure).toEqual({
      state: "normal",
      reason: "",
      since: null,
      waiting: 0,
      delayed: 0,
      refused: { quota: 0, early_drop: 0, memory: 0 },
      memory: {
        level: "normal",
        rss_bytes: 100 * MIB,
        limit_bytes: 256 * MIB,
        source: "cgroup v2",
      },
      stalls: { known: true, cpu: 1.5, memory: 0, io: 0.25 },
      loop_delay_ms: 1.3,
      governor: {
        state: "normal",
        share_pct: 100,
        since: "2026-03-01T09:30:00.000Z",
        cause: null,
      },
      ack_ms: { p50: 2, p99: 10 },
    });
  });

  it("R1: its state has a reason and a since: the disk's first, then memory's, then the pace's", async () => {
    const memory = { ...calmFacts().memory, level: "shed" as const, rssBytes: 224 * MIB };
    const governor = {
      state: "degraded",
      share: 0.5,
      sinceMs: SINCE_MS + 1,
      cause: "store",
    } as const;
    const all = await ofOwn({ ...inState("hard"), memory, governor });
    expect(all.pressure).toMatchObject({
      state: "hard",
      reason: "The disk is hard.",
      since: "2026-03-01T09:30:00.000Z",
    });
    expect((await ofOwn({ memory, governor })).pressure).toMatchObject({
      state: "soft",
      reason: "Memory is at 88 % of its limit (cgroup v2): low-priority captures are refused, too.",
    });
    expect((await ofOwn({ governor })).pressure).toMatchObject({
      state: "normal",
      reason: "Ingestion is slowed to 50 % of its pace because the store is slow.",
      since: "2026-03-01T09:30:00.001Z",
      governor: { state: "degraded", share_pct: 50, cause: "store" },
    });
  });

  it("R1: of several servers the worst is told, and the pace of the one that ingests", async () => {
    const slowed = { state: "degraded", share: 0.25, sinceMs: SINCE_MS, cause: "stall" } as const;
    const other = { ...slowed, share: 0.5, cause: "memory" } as const;
    const shed = { ...calmFacts().memory, level: "shed" as const, rssBytes: 5 };
    const servers = [
      server({ ...inState("soft", SINCE_MS + 5_000), governor: other, ackP99Ms: 4, memory: shed }),
      server({ ...inState("soft"), governor: slowed, ackP99Ms: 40 }, true),
    ];
    const { spool, pressure } = await pressureReport(sources({ servers: async () => servers }));
    // A server leaves a state a little later than a look that knows of no earlier one.
    expect([spool.state, pressure.reason]).toEqual(["soft", "The disk is soft."]);
    expect(pressure).toMatchObject({
      since: "2026-03-01T09:30:00.000Z",
      governor: { share_pct: 25, cause: "stall" },
      memory: { level: "shed", rss_bytes: 5 },
      ack_ms: { p99: 40 },
    });
  });
});

describe("the last events", () => {
  it("R1: are the newest ten of all servers, oldest first", async () => {
    const odd = [1, 3, 5, 7, 9, 11].map(event);
    const even = [0, 2, 4, 6, 8, 10].map(event);
    const servers = async () => [server({}, true, odd), server({}, false, even)];
    const { events } = await pressureReport(sources({ servers }));
    expect(events.map(({ message }) => message)).toEqual([
      "2",
      "3",
      "4",
      "5",
      "6",
      "7",
      "8",
      "9",
      "10",
      "11",
    ]);
    const own = () => ({ facts: calmFacts(), events: [...Array(30).keys()].map(event) });
    const last = (await pressureReport(sources({ own }))).events;
    expect(last).toHaveLength(EVENTS_SHOWN_MAX);
    expect(last.at(-1)?.message).toBe("29");
  });
});
