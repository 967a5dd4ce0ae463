/** From the sensors to the ingester's pace, with the loop and the governor in between. */
import { describe, expect, it } from "vitest";
import { readStalls } from "../../src/pressure/stalls.ts";
import { DEFAULT_SETTINGS } from "../support/default-settings.ts";
import { until } from "../support/ingest-bench.ts";
import { COOL_DOWN_MS, PressureBench, QUOTA_BYTES } from "../support/pressure-bench.ts";
import { systemFiles } from "../support/system-files.ts";

const CAPTURE = { priority: "normal", bytes: 10 } as const;
const PSI = (pct: number) => `some avg10=${pct}.00 avg60=0.00 avg300=0.00 total=1\n`;

describe("from the sensors to the ingester's pace", () => {
  it("P9: short memory lowers it, relief brings it back", async () => {
    const bench = await new PressureBench().started();
    bench.memoryPct = 75;
    await bench.pass(1_050);
    expect(bench.paces).toEqual([0.5]);
    expect(bench.pressure.facts()).toMatchObject({
      memory: { level: "throttle", rssBytes: 750, limitBytes: 1_000, source: "setting" },
      governor: { state: "degraded", share: 0.5, cause: "memory" },
    });
    const { sinceMs } = bench.pressure.facts().governor;
    await bench.pass(COOL_DOWN_MS);
    expect(bench.paces).toEqual([0.5, 0.25]);
    expect(bench.pressure.facts().governor).toMatchObject({ state: "degraded", sinceMs });
    bench.memoryPct = 40;
    await bench.pass(16 * COOL_DOWN_MS);
    expect(bench.paces.slice(1, 4)).toEqual([0.25, 0.3, 0.35]);
    expect(bench.paces.at(-1)).toBe(1);
    const { governor } = bench.pressure.facts();
    expect(governor).toMatchObject({ state: "normal", share: 1, cause: undefined });
    expect(governor.sinceMs).toBeGreaterThan(10 * COOL_DOWN_MS);
  });

  it("P9: a store that takes long lowers it while it drains, and only then", async () => {
    const bench = await new PressureBench().started();
    bench.signs = { isDraining: false, lastBatchMs: 5_000, heldBackBytes: 0 };
    await bench.pass(5_000);
    expect(bench.paces).toEqual([]);
    bench.signs = { isDraining: true, lastBatchMs: 1_999, heldBackBytes: 0 };
    await bench.pass(5_000);
    expect(bench.paces).toEqual([]);
    bench.signs = { isDraining: true, lastBatchMs: 2_000, heldBackBytes: 0 };
    await bench.pass(1_050);
    expect(bench.paces).toEqual([0.5]);
    expect(bench.events.named("pressure_raised")).toEqual([
      { sensor: "store", value: 2_000, limit: 2_000 },
    ]);
  });

  it("P9: neither a full queue nor the hard limit lowers it", async () => {
    const bench = await new PressureBench().started();
    bench.usage = { pendingCount: 1_000_000, pendingBytes: 2 * QUOTA_BYTES, freeBytes: 0 };
    bench.signs = { isDraining: true, lastBatchMs: 10, heldBackBytes: 0 };
    await bench.pass(10 * COOL_DOWN_MS);
    expect(bench.pressure.facts().spool.state).toBe("hard");
    expect(bench.paces).toEqual([]);
    expect(bench.events.named("governor_changed")).toEqual([]);
  });

  it("P8: a thread that is late for 2 s lowers it, and a short block does not", async () => {
    const bench = await new PressureBench().started();
    bench.loopDelayMs = 250;
    await bench.pass(1_500);
    bench.loopDelayMs = 249;
    await bench.pass(1_500);
    expect(bench.paces).toEqual([]);
    bench.loopDelayMs = 250;
    await bench.pass(3_050);
    expect(bench.paces).toEqual([0.5]);
    expect(bench.pressure.facts()).toMatchObject({ loopDelayMs: 250, governor: { cause: "loop" } });
  });

  it("P8: stalls of the machine lower it", async () => {
    const bench = await new PressureBench(systemFiles({ "proc/pressure/io": PSI(20) })).started();
    await until(async () => {
      await bench.pass(1_000);
      expect(bench.paces).toEqual([0.5]);
    });
    expect(bench.pressure.facts().governor.cause).toBe("stall");
  });

  it("P7: a limit that a container gets while it runs holds within half a minute", async () => {
    const max = (text: string) => roots.write("sys/fs/cgroup/memory.max", text);
    const roots = systemFiles({ "proc/self/cgroup": "0::/\n" });
    const bench = await new PressureBench(roots).started();
    bench.memoryPct = 65;
    max("700\n");
    await until(async () => {
      await bench.pass(30_050);
      expect(bench.pressure.facts().memory).toMatchObject({ level: "critical", limitBytes: 700 });
    });
  });
});

describe("how often a server looks", () => {
  /** Looks at the disk in a second. */
  async function looksOf(bench: PressureBench): Promise<number> {
    let looks = 0;
    bench.measure = async () => {
      looks++;
      return bench.look();
    };
    await bench.pass(1_000);
    return looks;
  }

  it.each([
    { what: "a capture is under way", capture: true },
    { what: "the disk is soft", usage: { pendingBytes: QUOTA_BYTES * 0.95 } },
    { what: "memory is short", memoryPct: 75 },
  ])("P9: every 50 ms while $what", async ({ capture, usage = {}, memoryPct = 10 }) => {
    // A governor that never acts is always normal.
    const bench = new PressureBench(undefined, { ...DEFAULT_SETTINGS, "governor.floorPct": 100 });
    await bench.started();
    expect(await looksOf(bench)).toBe(1);
    if (capture) await bench.gate.enter(CAPTURE);
    bench.usage = usage;
    bench.memoryPct = memoryPct;
    await bench.pass(1_050);
    expect(await looksOf(bench)).toBe(20);
  });

  it("P9: every 50 ms until the governor is normal, and once a second then", async () => {
    const bench = await new PressureBench().started();
    bench.memoryPct = 75;
    await bench.pass(1_050);
    bench.memoryPct = 10;
    await bench.pass(1_050);
    expect(bench.pressure.facts().memory.level).toBe("normal");
    expect(await looksOf(bench)).toBe(20);
    await bench.pass(11 * COOL_DOWN_MS);
    expect(await looksOf(bench)).toBe(1);
  });

  it("P8: at stalls once a second, also while it is busy", async () => {
    const roots = systemFiles({ "proc/pressure/io": PSI(1) });
    const bench = await new PressureBench(roots).started();
    await bench.gate.enter(CAPTURE);
    /** Ticks after which a look has found what is written now. */
    const ticksUntilFound = async (pct: number) => {
      roots.write("proc/pressure/io", PSI(pct));
      for (let ticks = 1; ; ticks++) {
        await bench.pass(50);
        await readStalls(roots, { unified: [] }); // takes as long as a look
        if (bench.pressure.facts().stall.io === pct || ticks > 100) return ticks;
      }
    };
    await ticksUntilFound(2);
    const ticks = await ticksUntilFound(3);
    // A real read may end a tick earlier or later.
    expect(Math.abs(ticks - 20)).toBeLessThanOrEqual(2);
  });
});
