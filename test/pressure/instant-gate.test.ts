import { expect, it } from "vitest";
import { InstantGate } from "../../src/pressure/instant-gate.ts";
import type { SpoolUsage } from "../../src/queue/spool-usage.ts";
import { Entering, KIB, MIB, QUOTA, said, settle, usage } from "../support/gate-scene.ts";
import { ManualTime } from "../support/manual-time.ts";

function open(usedMib: number, more: Partial<SpoolUsage> = {}) {
  const time = new ManualTime();
  const parts = { limits: QUOTA, lookMs: 50, timing: time };
  let looks = 0;
  const estimate = async () => {
    looks++;
    return usage(time, usedMib, more);
  };
  const gate = new InstantGate({ ...parts, estimate });
  const enter = (bytes = KIB, check?: () => void) =>
    new Entering(gate.enter({ priority: "normal", bytes, check }));
  return { time, gate, enter, looks: () => looks };
}

it("P2: decides at once: soft is let in, hard is refused, nothing is planned", async () => {
  for (const [usedMib, outcome] of [
    [10, "admitted"],
    [95, "admitted"],
    [100, "quota"],
  ] as const) {
    const { time, gate, enter } = open(usedMib);
    expect(await said([enter()]), String(usedMib)).toEqual([outcome]);
    expect(time.plannedCount).toBe(0);
    expect(gate.facts()).toMatchObject({ waiting: 0, refusedByQuota: outcome === "quota" ? 1 : 0 });
  }
});

it("P2: what can be trimmed holds no hook up, unless that would not be enough", async () => {
  const trimmable = { doneBytes: 60 * MIB, trimmableBytes: 60 * MIB };
  expect(await said([open(60, trimmable).enter()])).toEqual(["admitted"]);
  expect(await said([open(101, trimmable).enter()])).toEqual(["quota"]);
  const full = { freeBytes: 10 * MIB };
  expect(await said([open(1, full).enter()])).toEqual(["quota"]);
  expect(await said([open(31, { ...trimmable, ...full }).enter()])).toEqual(["quota"]);
});

it("P2: what nobody trims, because use is under soft, makes no room on a full disk", async () => {
  const full = { doneBytes: 60 * MIB, trimmableBytes: 60 * MIB, freeBytes: 62.5 * MIB };
  expect(await said([open(30, full).enter()])).toEqual(["quota"]);
  // Trimmed down to soft, 91 MiB to 90, it gives 1 MiB.
  expect(await said([open(31, full).enter()])).toEqual(["quota"]);
  expect(await said([open(32, full).enter()])).toEqual(["admitted"]);
});

it("P2: looks once, and counts what it let in since", async () => {
  const { enter, looks, gate } = open(98);
  const first = enter(3 * MIB);
  await settle();
  first.ticket?.done("01JQ7Z8X9Y0000000000000001");
  expect(await said([enter()])).toEqual(["quota"]);
  expect([looks(), gate.inFlight]).toEqual([1, 0]);
});

it("P2: what was not stored takes no room", async () => {
  const { enter } = open(98);
  const first = enter(3 * MIB);
  await settle();
  first.ticket?.done(undefined);
  expect(await said([enter()])).toEqual(["admitted"]);
});

it("P2: a disk that can not be looked at in time holds no hook up", async () => {
  const time = new ManualTime();
  const parts = { limits: QUOTA, lookMs: 50, timing: time };
  const hanging = new InstantGate({ ...parts, estimate: () => new Promise(() => {}) });
  const one = new Entering(hanging.enter({ priority: "normal", bytes: 1 }));
  time.advance(49);
  expect(await said([one])).toEqual(["held"]);
  time.advance(1);
  expect(await said([one])).toEqual(["admitted"]);
  const failing = new InstantGate({ ...parts, estimate: () => Promise.reject(new Error("EIO")) });
  expect(await said([new Entering(failing.enter({ priority: "low", bytes: 1 }))])).toEqual([
    "admitted",
  ]);
  expect(time.plannedCount).toBe(0);
});

it("P2: tells what can never be stored", async () => {
  const { enter } = open(100);
  const check = () => {
    throw new TypeError("no record");
  };
  expect(await said([enter(1, check)])).toEqual(["TypeError"]);
});
