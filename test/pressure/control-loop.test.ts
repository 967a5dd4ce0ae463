/** The loop of pressure control: when it looks, what a look may cost, and what a hanging one stops. */
import { describe, expect, it } from "vitest";
import {
  AHEAD_MS_MAX,
  BUSY_TICK_MS,
  ControlLoop,
  type ControlLoopParts,
  GAP_MS_MAX,
  GAP_MS_URGENT,
  GAP_PER_COST,
  HANGS_MS,
  IDLE_TICK_MS,
  type Sensor,
} from "../../src/pressure/control-loop.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

class LoopBench {
  readonly time = new ManualTime();
  readonly events = new RecordedEvents();
  readonly decidedAtMs: number[] = [];
  threadMs = 0;
  isBusy = false;
  isUrgent = false;

  start(sensors: readonly Sensor[], parts: Partial<ControlLoopParts> = {}): ControlLoop {
    const loop = new ControlLoop({
      timing: this.time,
      events: this.events,
      sensors,
      isBusy: () => this.isBusy,
      decide: (nowMs) => this.decidedAtMs.push(nowMs),
      isUrgent: () => this.isUrgent,
      startCost: () => {
        const beforeMs = this.threadMs;
        return () => this.threadMs - beforeMs;
      },
      ...parts,
    });
    loop.start();
    return loop;
  }

  /** Moves on in steps, with what promises do in between. */
  async advance(ms: number, stepMs = BUSY_TICK_MS): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
      this.time.advance(stepMs);
      await settled();
    }
  }

  get nowMs(): number {
    return this.time.clock.monotonicMs();
  }
}

/** All that was ready to run has run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

/** A sensor that notes when it was looked at. */
function noting(bench: LoopBench, name: Sensor["name"] = "memory", everyMs = 0) {
  const atMs: number[] = [];
  const sensor: Sensor = { name, everyMs, look: () => void atMs.push(bench.nowMs) };
  return { sensor, atMs };
}

describe("when the loop ticks", () => {
  it("P9: at once, then each second while nothing is under way", () => {
    const bench = new LoopBench();
    const { sensor, atMs } = noting(bench);
    bench.start([sensor]);
    bench.time.advance(3 * IDLE_TICK_MS);
    expect(atMs).toEqual([0, 1_000, 2_000, 3_000]);
    expect(bench.decidedAtMs).toEqual(atMs);
  });

  it("P9: every 50 ms while busy, and seldom again afterwards", () => {
    const bench = new LoopBench();
    const { sensor, atMs } = noting(bench);
    bench.isBusy = true;
    bench.start([sensor]);
    bench.time.advance(200);
    bench.isBusy = false;
    bench.time.advance(2_000);
    expect(atMs).toEqual([0, 50, 100, 150, 200, 250, 1_250]);
  });

  it("P9: a capture that begins is not left to the idle tick, and many plan one tick", () => {
    const bench = new LoopBench();
    const { sensor, atMs } = noting(bench);
    const loop = bench.start([sensor]);
    bench.time.advance(10);
    bench.isBusy = true;
    for (let n = 0; n < 100; n++) loop.hurry();
    expect(bench.time.plannedCount).toBe(1);
    bench.time.advance(100);
    expect(atMs).toEqual([0, 60, 110]);
  });

  it("P9: nothing is looked at or planned before the start and after the stop", async () => {
    const bench = new LoopBench();
    let finish = () => {};
    const slow: Sensor = {
      name: "spool",
      everyMs: 0,
      look: () =>
        new Promise<void>((_, reject) => {
          finish = () => reject(new Error("late"));
        }),
    };
    const loop = bench.start([slow]);
    const decided = bench.decidedAtMs.length;
    loop.stop();
    loop.stop();
    loop.hurry();
    finish();
    await settled();
    bench.time.advance(60_000);
    expect(bench.time.plannedCount).toBe(0);
    expect(bench.decidedAtMs).toHaveLength(decided);
    expect(bench.events.all).toEqual([]);
  });
});

describe("what a look may do", () => {
  it("P9: one at a time; a hanging look stops neither other sensors nor decisions", async () => {
    const bench = new LoopBench();
    bench.isBusy = true;
    let looks = 0;
    const hanging: Sensor = { name: "spool", everyMs: 0, look: () => new Promise(() => looks++) };
    const { sensor, atMs } = noting(bench);
    bench.start([hanging, sensor]);
    await bench.advance(2 * HANGS_MS);
    expect(looks).toBe(1);
    expect(atMs.length).toBe((2 * HANGS_MS) / BUSY_TICK_MS + 1);
    expect(bench.decidedAtMs.length).toBe(atMs.length);
    expect(bench.events.all).toEqual([
      { event: "sensor_failed", fields: { sensor: "spool", errno: "ETIMEDOUT" } },
    ]);
  });

  it("P9: a look that ends is decided upon at once", async () => {
    const bench = new LoopBench();
    let end = () => {};
    const look = () => new Promise<void>((resolve) => (end = resolve));
    bench.start([{ name: "spool", everyMs: 0, look }]);
    bench.time.advance(123);
    end();
    await settled();
    expect(bench.decidedAtMs).toEqual([0, 123]);
  });

  it("P9: what a look finds in idle times makes the next tick a busy one", async () => {
    const bench = new LoopBench();
    const { sensor, atMs } = noting(bench);
    const look = async () => {
      await Promise.resolve();
      bench.isBusy = true;
    };
    bench.start([{ name: "spool", everyMs: 10_000, look }, sensor]);
    await settled();
    bench.time.advance(100);
    expect(atMs).toEqual([0, 50, 100]);
  });

  it("P9: a sensor that fails is told once until it can measure again", async () => {
    const bench = new LoopBench();
    bench.isBusy = true;
    let error: Error | undefined = Object.assign(new Error("no"), { code: "EIO" });
    const asynchronous: Sensor = {
      ...{ name: "spool", everyMs: 0 },
      look: async () => {
        if (error) throw error;
      },
    };
    const synchronous: Sensor = {
      ...{ name: "memory", everyMs: 0 },
      look: () => {
        if (error) throw error;
      },
    };
    bench.start([asynchronous, synchronous]);
    await bench.advance(500);
    const told = () => bench.events.named("sensor_failed").map(({ sensor }) => sensor);
    expect(told().sort()).toEqual(["memory", "spool"]);
    error = undefined;
    await bench.advance(100);
    error = new Error("something else");
    await bench.advance(500);
    expect(told().sort()).toEqual(["memory", "memory", "spool", "spool"]);
    expect(bench.events.named("sensor_failed").at(-1)?.errno).toBe("unknown");
  });

  /** A sensor whose looks take a cost of the thread. */
  function dear(bench: LoopBench, costMs: number) {
    const atMs: number[] = [];
    const sensor: Sensor = {
      ...{ name: "spool", everyMs: 50, hasBudget: true },
      look: async () => {
        atMs.push(bench.nowMs);
        await Promise.resolve();
        bench.threadMs += costMs;
      },
    };
    return { sensor, atMs };
  }

  it("P9: after a look that cost c ms the next comes 800·c later, others as ever", async () => {
    const bench = new LoopBench();
    bench.isBusy = true;
    const { sensor, atMs } = dear(bench, 2);
    const { sensor: cheap, atMs: cheapAtMs } = noting(bench, "memory", 50);
    bench.start([sensor, cheap]);
    await bench.advance(5 * GAP_PER_COST);
    expect(atMs).toEqual([0, 2 * GAP_PER_COST, 4 * GAP_PER_COST]);
    expect(cheapAtMs).toHaveLength((5 * GAP_PER_COST) / 50 + 1);
  });

  it("P9: however much it costs, the next comes 5 s later, or 2 s where it is urgent", async () => {
    const bench = new LoopBench();
    bench.isBusy = true;
    const { sensor, atMs } = dear(bench, 5_000);
    bench.start([sensor]);
    await bench.advance(2 * GAP_MS_MAX);
    expect(atMs).toEqual([0, GAP_MS_MAX, 2 * GAP_MS_MAX]);
    await bench.advance(1_000);
    bench.isUrgent = true; // counts from the last look, which was before it became so
    await bench.advance(2 * GAP_MS_URGENT);
    const since = 2 * GAP_MS_MAX;
    expect(atMs.slice(3)).toEqual([since + GAP_MS_URGENT, since + 2 * GAP_MS_URGENT]);
  });

  it("P9: who asks for a look gets it at once, while that is not much ahead of its time", async () => {
    const bench = new LoopBench();
    const { sensor, atMs } = dear(bench, 1); // 800 ms
    const { sensor: other, atMs: otherAtMs } = noting(bench, "memory");
    const loop = bench.start([sensor, other]);
    await bench.advance(100);
    loop.ask("spool");
    expect(atMs).toEqual([0, 100]);
    expect(otherAtMs).toEqual([0]);
  });

  it("P9: looks that are asked for are paid back: as many in all as the budget has", async () => {
    const bench = new LoopBench();
    bench.isBusy = true;
    const { sensor, atMs } = dear(bench, 2); // 1,600 ms
    const loop = bench.start([sensor]);
    for (let passedMs = 0; passedMs < 60_000; passedMs += 50) {
      loop.ask("spool");
      await bench.advance(50);
    }
    expect(atMs[1]).toBe(2 * GAP_PER_COST - AHEAD_MS_MAX);
    const fromBudget = 60_000 / (2 * GAP_PER_COST);
    expect(Math.abs(atMs.length - fromBudget)).toBeLessThanOrEqual(2);
    const lastMs = atMs.at(-1) ?? 0;
    await bench.advance(10_000);
    const next = atMs.find((each) => each > lastMs + 50) ?? Number.POSITIVE_INFINITY;
    expect(next - lastMs).toBeLessThanOrEqual(2 * GAP_PER_COST + AHEAD_MS_MAX);
  });

  it("P9: who asks while a look runs gets one that begins afterwards; none before the start", async () => {
    const bench = new LoopBench();
    const ends: (() => void)[] = [];
    const look = () => new Promise<void>((resolve) => ends.push(resolve));
    const slow: Sensor = { name: "spool", everyMs: 0, hasBudget: true, look };
    const loop = new ControlLoop({
      ...{ timing: bench.time, events: bench.events, sensors: [slow] },
      ...{ isBusy: () => true, isUrgent: () => false, decide: () => {} },
      startCost: () => () => 1,
    });
    loop.ask("spool");
    expect(ends).toHaveLength(0);
    loop.start();
    loop.ask("spool");
    expect(ends).toHaveLength(1);
    ends[0]?.();
    await settled();
    await bench.advance(BUSY_TICK_MS);
    expect(ends).toHaveLength(2); // 750 ms ahead
    ends[1]?.();
    await settled();
    await bench.advance(BUSY_TICK_MS);
    expect(ends).toHaveLength(2);
    loop.stop();
    loop.ask("spool");
    expect(ends).toHaveLength(2);
  });
});
