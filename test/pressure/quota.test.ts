import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SpoolState } from "../../src/pressure/pressure-facts.ts";
import {
  HYSTERESIS_POINTS,
  overSoft,
  relievable,
  SPOOL_AT_EASE,
  type SpoolLoad,
  type SpoolStanding,
  spoolLimits,
  spoolReason,
  spoolState,
  TRIM_GRACE_MS,
} from "../../src/pressure/quota.ts";
import { DEFAULT_SETTINGS } from "../support/default-settings.ts";
import { usageOf } from "../support/pressure-facts.ts";

const MIB = 1_048_576;
const LIMITS = spoolLimits({ ...DEFAULT_SETTINGS, "spool.quotaMb": 100 });

interface Given {
  readonly used: number;
  readonly trimmable?: number;
  readonly heldBack?: number;
  readonly own?: number;
  readonly freeMib?: number;
  readonly inodes?: number;
  readonly nowMs?: number;
}

/** Sizes in MiB, all of `used` pending or, as far as it is trimmable, archived. */
function load(given: Given): SpoolLoad {
  const trimmable = (given.trimmable ?? 0) * MIB;
  return {
    usage: usageOf({
      atMs: given.nowMs ?? 0,
      pendingBytes: Math.round(given.used * MIB) - trimmable,
      doneBytes: trimmable,
      trimmableBytes: trimmable,
      freeBytes: (given.freeMib ?? 10_000) * MIB,
      freeInodes: given.inodes ?? Number.POSITIVE_INFINITY,
    }),
    ownBytes: (given.own ?? 0) * MIB,
    heldBackBytes: (given.heldBack ?? 0) * MIB,
    nowMs: given.nowMs ?? 0,
  };
}

function walk(...steps: Given[]): SpoolStanding {
  return steps.reduce((before, step) => spoolState(before, load(step), LIMITS), SPOOL_AT_EASE);
}

function states(...steps: Given[]): SpoolState[] {
  return steps.map((_, at) => walk(...steps.slice(0, at + 1)).state);
}

describe("P1: the state of the quota", () => {
  it("P1: is soft above 90 % and hard from 100 % on, to the byte", () => {
    expect(walk({ used: 90 }).state).toBe("normal");
    expect(walk({ used: 90 + 1 / MIB }).state).toBe("soft");
    expect(walk({ used: 100 - 1 / MIB }).state).toBe("soft");
    expect(walk({ used: 100 }).state).toBe("hard");
  });

  it("P1: counts at once what this process appended since the look", () => {
    expect(walk({ used: 89, own: 2 }).state).toBe("soft");
    expect(walk({ used: 89, own: 11 }).state).toBe("hard");
  });

  it("P1: is hard when less than 64 MiB or fewer than 1,000 inodes are free", () => {
    expect(walk({ used: 1, freeMib: 64 }).state).toBe("normal");
    expect(walk({ used: 1, freeMib: 63.9 }).state).toBe("hard");
    expect(walk({ used: 1, inodes: 1_000 }).state).toBe("normal");
    expect(walk({ used: 1, inodes: 999 }).state).toBe("hard");
  });

  it("P1: leaves hard for want of disk five per cent above the minimum, and not before", () => {
    const short = { used: 1, freeMib: 60 };
    expect(states(short, { used: 1, freeMib: 65 }, { used: 1, freeMib: 67 })).toEqual([
      "hard",
      "hard",
      "hard",
    ]);
    expect(states(short, { used: 1, freeMib: 68 })).toEqual(["hard", "normal"]);
    const few = { used: 1, inodes: 10 };
    expect(states(few, { used: 1, inodes: 1_049 })).toEqual(["hard", "hard"]);
    expect(states(few, { used: 1, inodes: 1_050 })).toEqual(["hard", "normal"]);
  });

  it("P1: leaves soft and hard five points below while nothing can be trimmed", () => {
    expect(states({ used: 91 }, { used: 90 }, { used: 85.1 }, { used: 85 })).toEqual([
      "soft",
      "soft",
      "soft",
      "normal",
    ]);
    expect(states({ used: 100 }, { used: 99 }, { used: 95.1 }, { used: 95 })).toEqual([
      "hard",
      "hard",
      "hard",
      "soft",
    ]);
    expect(states({ used: 100 }, { used: 88 }, { used: 85 })).toEqual(["hard", "soft", "normal"]);
    expect(HYSTERESIS_POINTS).toBe(5);
  });

  it("P1: does not flap when use swings around a limit", () => {
    const swings = Array.from({ length: 40 }, (_, at) => ({ used: at % 2 === 0 ? 91 : 86 }));
    expect(new Set(states(...swings))).toEqual(new Set(["soft"]));
    const higher = Array.from({ length: 40 }, (_, at) => ({ used: at % 2 === 0 ? 101 : 96 }));
    expect(new Set(states(...higher))).toEqual(new Set(["hard"]));
  });

  it("P1: is over at once where trimming brought use to soft, also with the last file", () => {
    expect(states({ used: 95, trimmable: 20 }, { used: 90, trimmable: 15 })).toEqual([
      "soft",
      "normal",
    ]);
    expect(states({ used: 95, trimmable: 5 }, { used: 90, trimmable: 0 })).toEqual([
      "soft",
      "normal",
    ]);
    expect(states({ used: 101, trimmable: 11 }, { used: 90, trimmable: 0 })).toEqual([
      "hard",
      "normal",
    ]);
  });

  it("P1: does not flap for archive files that nobody trims", () => {
    const late = { trimmable: 1, nowMs: TRIM_GRACE_MS };
    expect(
      states({ used: 91, trimmable: 1 }, { used: 91, ...late }, { used: 89, ...late }),
    ).toEqual(["soft", "soft", "soft"]);
    const heldBack = { trimmable: 1, heldBack: 1 };
    expect(states({ used: 91, ...heldBack }, { used: 89, ...heldBack })).toEqual(["soft", "soft"]);
  });

  it("P1: does not latch in soft when an hour turns and use is at or under soft by then", () => {
    const steps = [{ used: 91 }, { used: 88, nowMs: 9_000 }];
    expect(states(...steps)).toEqual(["soft", "soft"]);
    expect(walk(...steps, { used: 88, trimmable: 30, nowMs: 9_999 }).state).toBe("normal");
  });

  it("P1: leaves a tiny limit too", () => {
    const limits = { ...LIMITS, softPct: 3 };
    const soft = spoolState(SPOOL_AT_EASE, load({ used: 3.5 }), limits);
    expect(spoolState(soft, load({ used: 1.5 }), limits).state).toBe("normal");
  });

  it("P1: has no state but by its limits, whatever came before", () => {
    const mib = fc.double({ min: 0, max: 120, noNaN: true });
    const step = fc.record({ used: mib, trimmable: fc.constantFrom(0, 0, 1), freeMib: mib });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        const given = steps.map((one, at) => ({ ...one, nowMs: at * 500 }));
        const last = given.at(-1) as (typeof given)[number];
        const { state } = walk(...given);
        if (last.used >= 100 || last.freeMib < 64) expect(state).toBe("hard");
        else if (last.used > 90 + 1e-6) expect(state).not.toBe("normal");
        else if (last.used <= 85 && last.freeMib > 67.2) expect(state).toBe("normal");
      }),
    );
  });
});

describe("P2: whether trimming is expected to help", () => {
  const OVER = { used: 95, trimmable: 10 };

  it("P2: is so for two seconds without a change of what can be trimmed", () => {
    const standing = walk(OVER);
    expect(relievable(standing, TRIM_GRACE_MS - 1)).toBe(true);
    expect(relievable(standing, TRIM_GRACE_MS)).toBe(false);
    const still = walk(OVER, { ...OVER, nowMs: 1_500 });
    expect(relievable(still, TRIM_GRACE_MS)).toBe(false);
  });

  it("P2: is so again when files went, or an hour turned", () => {
    for (const trimmable of [9, 30]) {
      const standing = walk(OVER, { used: 95, trimmable, nowMs: 9_000 });
      expect(relievable(standing, 9_000 + TRIM_GRACE_MS - 1)).toBe(true);
    }
  });

  it("P2: is not so at or under soft, with nothing to trim, or with all of it held back", () => {
    expect(relievable(walk({ used: 90, trimmable: 10 }), 0)).toBe(false);
    expect(relievable(walk({ used: 95 }), 0)).toBe(false);
    expect(relievable(walk({ used: 95, trimmable: 10, heldBack: 10 }), 0)).toBe(false);
    expect(relievable(walk({ used: 1, trimmable: 1, freeMib: 1 }), 0)).toBe(false);
  });

  it("P2: begins where trimming does", () => {
    expect(overSoft(load({ used: 90 }), LIMITS)).toBe(false);
    expect(overSoft(load({ used: 90 + 1 / MIB }), LIMITS)).toBe(true);
  });
});

describe("P1: the reason of a state", () => {
  const reason = (...steps: Given[]) => {
    const last = load(steps.at(-1) as Given);
    return spoolReason(walk(...steps).state, last, LIMITS);
  };

  it("P1: is one sentence that names the measurement and the limit", () => {
    expect(reason({ used: 50 })).toBe("");
    expect(reason({ used: 93 })).toBe("The spool uses 93 of 100 MiB, more than 90 %.");
    expect(reason({ used: 93 }, { used: 87 })).toBe(
      "The spool uses 87 of 100 MiB; it was more than 90 %, and that is over at 85 %.",
    );
    expect(reason({ used: 1, freeMib: 3.97 })).toBe("The disk has 3.9 MiB free, less than 64.");
    expect(reason({ used: 103 })).toBe("The spool uses 103 of 100 MiB, the limit is 100 %.");
    expect(reason({ used: 103 }, { used: 97 })).toBe(
      "The spool uses 97 of 100 MiB; it was at 100 %, and that is over at 95 %.",
    );
    expect(reason({ used: 1, freeMib: 3 })).toBe("The disk has 3.0 MiB free, less than 64.");
    expect(reason({ used: 1, freeMib: 3 }, { used: 1, freeMib: 66 })).toBe(
      "The disk has 66 MiB free; 67 are enough.",
    );
    expect(reason({ used: 1, inodes: 7 })).toBe("The disk has 7 inodes free, less than 1000.");
    expect(reason({ used: 1, inodes: 7 }, { used: 1, inodes: 1_020 })).toBe(
      "The disk has 1020 inodes free; 1050 are enough.",
    );
  });
});
