import { describe, expect, it } from "vitest";
import { isRefusedEarly, refusalProbability } from "../../src/pressure/early-drop.ts";

const SETTINGS = { fromPct: 60, refusePct: 30 };

describe("early drop", () => {
  it("P9: refuses none up to 60 % fill, 30 % when full, and in between in proportion", () => {
    const expected: readonly [number | undefined, number][] = [
      ...([0, 0.3, 0.59, 0.6].map((fill) => [fill, 0]) as [number, number][]),
      ...([
        [0.7, 0.075],
        [0.8, 0.15],
        [0.9, 0.225],
      ] as [number, number][]),
      ...([
        [1, 0.3],
        [1.5, 0.3],
        [Number.POSITIVE_INFINITY, 0.3],
      ] as [number, number][]),
    ];
    for (const [fill, share] of expected) {
      expect(refusalProbability(fill, SETTINGS), String(fill)).toBeCloseTo(share, 12);
    }
  });

  it("P9: refuses none while nobody knows how full the queue is", () => {
    for (const fill of [undefined, Number.NaN]) expect(refusalProbability(fill, SETTINGS)).toBe(0);
  });

  it("P9: keeps to settings at their edges", () => {
    expect(refusalProbability(0.999, { fromPct: 100, refusePct: 30 })).toBe(0);
    expect(refusalProbability(1, { fromPct: 100, refusePct: 30 })).toBe(0.3);
    expect(refusalProbability(1, { fromPct: 60, refusePct: 0 })).toBe(0);
    expect(refusalProbability(1, { fromPct: 60, refusePct: 100 })).toBe(1);
  });

  it("P9: draws against the share, and never refuses high or normal priority", () => {
    expect(isRefusedEarly("low", 1, SETTINGS, 0.299)).toBe(true);
    expect(isRefusedEarly("low", 1, SETTINGS, 0.3)).toBe(false);
    expect(isRefusedEarly("low", 0.6, SETTINGS, 0)).toBe(false);
    for (const priority of ["normal", "high"] as const) {
      expect(isRefusedEarly(priority, 1, { fromPct: 1, refusePct: 100 }, 0)).toBe(false);
    }
  });
});
