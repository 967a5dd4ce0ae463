/** P9: the governor's steps, bounds and what it can not see. */
import { describe, expect, it } from "vitest";
import type { PressureSensor } from "../../src/events/catalogue.ts";
import { FULL_PACE, type Governor, stepGovernor } from "../../src/pressure/governor.ts";

const COOL_DOWN_MS = 30_000;
const SETTINGS = { "governor.coolDownMs": COOL_DOWN_MS, "governor.floorPct": 20 } as const;

/** Runs the governor for so long with a look every 50 ms; returns its steps. */
class Run {
  governor: Governor = FULL_PACE;
  nowMs = 0;
  readonly steps: { atMs: number; from: string; to: string; share_pct: number; cause: string }[] =
    [];

  hold(pressed: readonly PressureSensor[], forMs: number): this {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; this.nowMs += 50) {
      const { next, changed } = stepGovernor(this.governor, pressed, this.nowMs, SETTINGS);
      this.governor = next;
      if (changed) this.steps.push({ atMs: this.nowMs, ...changed });
    }
    return this;
  }

  get shares(): number[] {
    return this.steps.map(({ share_pct }) => share_pct);
  }
}

describe("the governor", () => {
  it("P9: halving to the floor within 100 ms and calling it control", () => {
    const run = new Run().hold(["memory"], 100);
    expect(run.shares).toEqual([50]);
    run.hold(["memory"], COOL_DOWN_MS - 150);
    expect(run.shares).toEqual([50]);
    run.hold(["memory"], 10 * COOL_DOWN_MS);
    expect(run.steps.map(({ atMs, share_pct }) => [atMs, share_pct])).toEqual([
      [0, 50],
      [COOL_DOWN_MS, 25],
      [2 * COOL_DOWN_MS, 20],
    ]);
  });

  it("P9: the first step down comes at once, however long all was well", () => {
    const run = new Run().hold([], 1_000_000).hold(["stall"], 50);
    expect(run.steps).toEqual([
      { atMs: 1_000_000, from: "normal", to: "degraded", share_pct: 50, cause: "stall" },
    ]);
  });

  it("P9: relief brings 5 points a cool-down, back to normal through recovering", () => {
    const run = new Run().hold(["memory"], 50).hold([], 11 * COOL_DOWN_MS);
    expect(run.shares).toEqual([50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100]);
    expect(run.steps.map(({ to }) => to)).toEqual([
      "degraded",
      ...Array.from({ length: 9 }, () => "recovering"),
      "normal",
    ]);
    expect(run.governor.cause).toBeUndefined();
    expect(run.hold([], 100 * COOL_DOWN_MS).steps).toHaveLength(11);
  });

  it("P9: never two steps within one cool-down, in whichever direction", () => {
    const run = new Run();
    let pressed = false;
    for (let turn = 0; turn < 2_000; turn++) {
      pressed = (turn * 7919) % 5 < 2;
      run.hold(pressed ? ["loop"] : [], 700);
    }
    expect(run.steps.length).toBeGreaterThan(20);
    const gaps = run.steps.slice(1).map(({ atMs }, index) => atMs - (run.steps[index]?.atMs ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(COOL_DOWN_MS);
    expect(Math.min(...run.shares)).toBeGreaterThanOrEqual(20);
  });

  it("P9: pressure while recovering halves what was won", () => {
    const run = new Run()
      .hold(["memory"], 50)
      .hold([], 3 * COOL_DOWN_MS)
      .hold(["store"], 50);
    run.hold(["store"], COOL_DOWN_MS);
    expect(run.steps.at(-1)).toMatchObject({ from: "recovering", to: "degraded", cause: "store" });
    expect(run.shares.slice(-2)).toEqual([65, 32]);
  });

  it("P9: a floor of 100 % is a governor that never acts; one of 97 % recovers, too", () => {
    const never = { ...SETTINGS, "governor.floorPct": 100 };
    expect(stepGovernor(FULL_PACE, ["memory"], 0, never).changed).toBeUndefined();
    const high = { ...SETTINGS, "governor.floorPct": 97 };
    let { next } = stepGovernor(FULL_PACE, ["memory"], 0, high);
    expect(next).toMatchObject({ state: "degraded", sharePct: 97 });
    ({ next } = stepGovernor(next, [], COOL_DOWN_MS, high));
    expect(next).toMatchObject({ state: "recovering", sharePct: 100 });
    ({ next } = stepGovernor(next, [], 2 * COOL_DOWN_MS, high));
    expect(next).toMatchObject({ state: "normal", sharePct: 100 });
  });

  it("P9: the drawn machine is asserted: from normal nothing recovers", () => {
    const lost: Governor = { ...FULL_PACE, state: "unheard of" as never, sharePct: 90 };
    expect(() => stepGovernor(lost, [], 0, SETTINGS)).toThrow(TypeError);
  });

  it("P9: neither queue depth nor quota can be an input", () => {
    const sensors: Record<PressureSensor, true> = {
      memory: true,
      stall: true,
      loop: true,
      store: true,
    };
    expect(Object.keys(sensors).sort()).toEqual(["loop", "memory", "stall", "store"]);
    // @ts-expect-error a queue's depth is no sensor
    const depth: PressureSensor = "depth";
    // @ts-expect-error nor is the quota
    const quota: PressureSensor = "quota";
    expect([depth, quota]).toHaveLength(2);
  });
});
