import { describe, expect, it } from "vitest";
import { type AdmissionFacts, admission, type GateSettings } from "../../src/pressure/admission.ts";
import type { CapturePriority } from "../../src/pressure/gate.ts";
import { retryAfterMs } from "../../src/pressure/refusal.ts";
import { KIB, MIB } from "../support/gate-scene.ts";

const SETTINGS: GateSettings = {
  ...{ delayMs: 300, waitMs: 2_000, waitRecords: 64, waitBytes: 16 * MIB },
  earlyDrop: { fromPct: 60, refusePct: 30 },
};
const CALM: AdmissionFacts = {
  ...{ state: "normal", relievable: false, roomBytes: 10 * MIB },
  ...{ memory: "normal", fill: 0, draw: 0.5, waiting: 0, waitingBytes: 0 },
};

function decide(
  facts: Partial<AdmissionFacts>,
  priority: CapturePriority = "normal",
  settings: Partial<GateSettings> = {},
  bytes = KIB,
): string {
  const all = { ...SETTINGS, ...settings };
  const decision = admission({ ...CALM, ...facts }, { priority, bytes }, all);
  if (decision.kind !== "refuse") return decision.kind;
  return `refuse ${decision.reason} ${retryAfterMs(decision.reason, all.waitMs)}`;
}

const PRIORITIES: readonly CapturePriority[] = ["high", "normal", "low"];
const all = (facts: Partial<AdmissionFacts>) => PRIORITIES.map((each) => decide(facts, each));

describe("admission", () => {
  it("P2: normal admits, soft delays, hard lets wait and refuses low priority", () => {
    expect(all({})).toEqual(["admit", "admit", "admit"]);
    expect(all({ state: "soft" })).toEqual(["delay", "delay", "delay"]);
    expect(all({ state: "hard" })).toEqual(["wait", "wait", "refuse quota 5000"]);
  });

  it("P2: nobody is held up while trimming is expected to help", () => {
    for (const state of ["soft", "hard"] as const) {
      expect(all({ state, relievable: true })).toEqual(["admit", "admit", "admit"]);
    }
  });

  it("P1: but only as many as trimming makes room for", () => {
    for (const state of ["soft", "hard"] as const) {
      const outcomes = all({ state, relievable: true, roomBytes: KIB });
      expect(outcomes).toEqual(["wait", "wait", "refuse quota 5000"]);
    }
  });

  it("P2: what does not fit below the limit waits, whatever the state", () => {
    for (const state of ["normal", "soft"] as const) {
      expect(all({ state, roomBytes: KIB })).toEqual(["wait", "wait", "refuse quota 5000"]);
    }
  });

  it("P2: nobody overtakes the line", () => {
    expect(all({ waiting: 1, waitingBytes: 1 })).toEqual(["wait", "wait", "refuse quota 5000"]);
  });

  it("P2: the line holds 64 records and 16 MiB of text, and not one more", () => {
    const hard = { state: "hard" } as const;
    expect(decide({ ...hard, waiting: 63 })).toBe("wait");
    expect(decide({ ...hard, waiting: 64 })).toBe("refuse line 2000");
    const full = { ...hard, waiting: 15, waitingBytes: 15 * MIB };
    expect(decide(full, "normal", {}, MIB)).toBe("wait");
    expect(decide(full, "normal", {}, MIB + 1)).toBe("refuse line 2000");
  });

  it("P2: settings of 0 switch delay and line off", () => {
    expect(decide({ state: "soft" }, "normal", { delayMs: 0 })).toBe("admit");
    expect(decide({ state: "hard" }, "normal", { waitMs: 0 })).toBe("refuse quota 5000");
    expect(decide({ state: "hard" }, "normal", { waitRecords: 0 })).toBe("refuse line 2000");
    expect(decide({ state: "hard" }, "normal", { waitBytes: 0 })).toBe("refuse line 2000");
  });

  it("P7: short memory refuses low priority and nothing else", () => {
    for (const memory of ["shed", "critical"] as const) {
      expect(all({ memory })).toEqual(["admit", "admit", "refuse memory 10000"]);
    }
    expect(all({ memory: "throttle" })).toEqual(["admit", "admit", "admit"]);
  });

  it("P9: early drop refuses low priority by the dice, and nothing else", () => {
    expect(all({ fill: 1, draw: 0.29 })).toEqual(["admit", "admit", "refuse early_drop 2000"]);
    expect(all({ fill: 1, draw: 0.3 })).toEqual(["admit", "admit", "admit"]);
    expect(all({ fill: undefined, draw: 0 })).toEqual(["admit", "admit", "admit"]);
  });
});
