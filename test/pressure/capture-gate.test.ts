import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { DELAYED_COUNT_MAX } from "../../src/pressure/capture-gate.ts";
import { GateScene, KIB, MIB, said, settle } from "../support/gate-scene.ts";

const times = <T>(count: number, make: (n: number) => T) =>
  Array.from({ length: count }, (_, n) => make(n));
/** What a list of outcomes comes to. */
const counted = (outcomes: readonly string[]) =>
  Object.fromEntries(
    [...new Set(outcomes)].map((one) => [one, outcomes.filter((o) => o === one).length]),
  );

describe("capture gate, soft", () => {
  it("P2: delays a capture 300 ms, to the millisecond", async () => {
    const scene = new GateScene();
    scene.look(91);
    const one = scene.enter();
    scene.time.advance(299);
    expect(await said([one])).toEqual(["held"]);
    expect(scene.gate.facts().delayed).toBe(1);
    scene.time.advance(1);
    expect(await said([one])).toEqual(["admitted"]);
    expect(scene.gate.facts().delayed).toBe(0);
  });

  it("P2: delays a batch of 100 once, side by side", async () => {
    const scene = new GateScene();
    scene.look(91);
    const batch = times(100, () => scene.enter());
    scene.time.advance(299);
    expect(counted(await said(batch))).toEqual({ held: 100 });
    expect(scene.time.plannedCount).toBe(1);
    scene.time.advance(1);
    expect(counted(await said(batch))).toEqual({ admitted: 100 });
    expect(scene.time.plannedCount).toBe(0);
  });

  it("P2: cuts the delay short when soft clears", async () => {
    const scene = new GateScene();
    scene.look(91);
    const one = scene.enter();
    scene.time.advance(10);
    scene.look(85);
    expect(await said([one])).toEqual(["admitted"]);
    expect(scene.time.plannedCount).toBe(0);
  });

  it("P2: cuts the delay short when trimming is expected to help, and delays nobody then", async () => {
    const scene = new GateScene();
    scene.look(91);
    const one = scene.enter();
    scene.time.advance(10);
    // An hour went by: what was the current one may be trimmed now.
    scene.look(0, { doneBytes: 91 * MIB, trimmableBytes: 50 * MIB });
    expect(await said([one, scene.enter()])).toEqual(["admitted", "admitted"]);
    // Nothing was trimmed for the time of grace.
    scene.time.advance(2_000);
    expect(await said([scene.enter()])).toEqual(["held"]);
  });

  it("P2: a state that turned hard meanwhile counts, and the delay is not begun anew", async () => {
    const scene = new GateScene();
    scene.look(91);
    const low = scene.enter({ priority: "low" });
    const normal = scene.enter();
    scene.time.advance(200);
    scene.look(100);
    scene.time.advance(100);
    expect(await said([low, normal])).toEqual(["quota", "held"]);
    expect(scene.gate.facts()).toMatchObject({ waiting: 1, delayed: 0, refusedByQuota: 1 });
    scene.look(95);
    expect(await said([normal])).toEqual(["admitted"]);
  });

  it("P2: bounds how many are delayed at once", async () => {
    const scene = new GateScene();
    scene.look(91);
    const many = times(DELAYED_COUNT_MAX + 1, () => scene.enter());
    expect(counted(await said(many))).toEqual({ held: DELAYED_COUNT_MAX, line: 1 });
    scene.time.advance(300);
    expect(counted(await said(many))).toEqual({ admitted: DELAYED_COUNT_MAX, line: 1 });
  });
});

describe("capture gate, no room for one more", () => {
  const changes = (scene: GateScene) =>
    scene.events.named("backpressure_changed").map(({ from, to }) => `${from} > ${to}`);

  it("P1: one that waits for room makes it hard below the limit, and so it stays for it", async () => {
    const scene = new GateScene();
    scene.look(93);
    const one = scene.enter({ bytes: 8 * MIB });
    expect(await said([one])).toEqual(["held"]);
    expect(scene.guard.facts()).toMatchObject({ state: "hard" });
    scene.look(92.5);
    expect(await said([one])).toEqual(["held"]);
    scene.look(91);
    expect(await said([one])).toEqual(["admitted"]);
    expect(changes(scene)).toEqual(["normal > soft", "soft > hard", "hard > soft"]);
  });

  it("P1: when it has waited in vain, what is used decides again", async () => {
    const scene = new GateScene();
    scene.look(93);
    const one = scene.enter({ bytes: 8 * MIB });
    scene.time.advance(2_000);
    expect(await said([one])).toEqual(["quota"]);
    expect(scene.guard.facts().state).toBe("soft");
    scene.look(99);
    const other = scene.enter({ bytes: 2 * MIB });
    scene.time.advance(2_000);
    expect(await said([other])).toEqual(["quota"]);
    expect(scene.guard.facts().state).toBe("hard");
  });

  it("P1: one of low priority that is refused for room makes it hard, near the limit", async () => {
    const scene = new GateScene();
    scene.look(99);
    expect(await said([scene.enter({ priority: "low", bytes: 2 * MIB })])).toEqual(["quota"]);
    expect(scene.guard.facts().state).toBe("hard");
    expect(changes(scene)).toEqual(["normal > soft", "soft > hard"]);
  });

  it("P1: a huge one of low priority says nothing of the others", async () => {
    const scene = new GateScene();
    scene.look(92);
    expect(await said([scene.enter({ priority: "low", bytes: 20 * MIB })])).toEqual(["quota"]);
    expect(changes(scene)).toEqual(["normal > soft"]);
  });
});

describe("capture gate, hard", () => {
  it("P2: refuses low priority at once; the others wait 2 s, then get BACKPRESSURE", async () => {
    const scene = new GateScene();
    scene.look(100);
    const all = (["low", "normal", "high"] as const).map((priority) => scene.enter({ priority }));
    expect(await said(all)).toEqual(["quota", "held", "held"]);
    scene.time.advance(1_999);
    expect(await said(all)).toEqual(["quota", "held", "held"]);
    scene.time.advance(1);
    expect(await said(all)).toEqual(["quota", "quota", "quota"]);
    const { outcome } = all[1] ?? {};
    expect(outcome).toMatchObject({
      code: "BACKPRESSURE",
      retryable: true,
      details: { reason: "quota", retry_after_ms: 5_000, stored: "no" },
    });
    expect((outcome as MemspoolError).message).toContain("The spool uses 100 of 100 MiB");
    expect(scene.gate.facts()).toMatchObject({ waiting: 0, waitingBytes: 0, refusedByQuota: 3 });
    expect(scene.time.plannedCount).toBe(0);
  });

  it("P2: the 65th in the line is refused, with the line as the reason", async () => {
    const scene = new GateScene();
    scene.look(100);
    const line = times(65, () => scene.enter());
    expect(counted(await said(line))).toEqual({ held: 64, line: 1 });
    expect(line[64]?.said).toBe("line");
    expect(scene.gate.facts()).toMatchObject({ waiting: 64, waitingBytes: 64 * KIB });
  });

  it("P2: so is what makes it longer than 16 MiB", async () => {
    const scene = new GateScene();
    scene.look(100);
    const line = times(16, () => scene.enter({ bytes: MIB }));
    const small = scene.enter({ bytes: 1 });
    expect(counted(await said([...line, small]))).toEqual({ held: 16, line: 1 });
    expect(small.said).toBe("line");
  });

  it("P2: lets in first who came first, and as many as fit", async () => {
    const scene = new GateScene();
    scene.look(100);
    const line = times(6, () => scene.enter({ bytes: 2 * MIB }));
    scene.look(95);
    // Five MiB have come free: two of two and their envelopes fit, and the third has to wait.
    expect(await said(line)).toEqual(["admitted", "admitted", "held", "held", "held", "held"]);
    expect(scene.gate.inFlight).toBe(2);
    // A small one that would fit does not overtake.
    const small = scene.enter({ bytes: 1 });
    expect(await said([small])).toEqual(["held"]);
    line[0]?.ticket?.done(undefined);
    expect(await said(line.slice(2, 4))).toEqual(["admitted", "held"]);
    scene.time.advance(2_000);
    expect(await said([...line.slice(3), small])).toEqual(["quota", "quota", "quota", "quota"]);
  });

  it("P2: an archive that is not trimmed yet, because use is under soft, takes nobody's room", async () => {
    const scene = new GateScene({ waitBytes: 100 * MIB });
    scene.look(9, { doneBytes: 80 * MIB, trimmableBytes: 60 * MIB });
    const large = scene.enter({ bytes: 20 * MIB });
    expect(await said([large])).toEqual(["admitted"]);
    // What is in flight has its share of it: no more than trimming will make room for.
    const [larger, largest] = [scene.enter({ bytes: 50 * MIB }), scene.enter({ bytes: 70 * MIB })];
    expect(await said([larger, largest])).toEqual(["admitted", "held"]);
    large.ticket?.done("01JQ7Z8X9Y0000000000000001");
    expect(scene.guard.admission()).toMatchObject({ state: "hard", relievable: true });
    // Nobody trims: what was promised is over, and hard holds.
    scene.time.advance(2_000);
    expect(scene.guard.admission()).toMatchObject({ state: "hard", relievable: false });
    expect(scene.guard.admission().roomBytes).toBeLessThan(0);
  });

  it("P2: one larger than all the room waits and is refused, and who is behind it is not", async () => {
    const scene = new GateScene();
    scene.look(99.5);
    scene.look(85);
    scene.look(89.9);
    const large = scene.enter({ bytes: 11 * MIB });
    scene.time.advance(1_000);
    const small = scene.enter();
    expect(await said([large, small])).toEqual(["held", "held"]);
    expect(scene.gate.facts()).toMatchObject({ waiting: 2 });
    scene.time.advance(1_000);
    expect(await said([large, small])).toEqual(["quota", "admitted"]);
  });

  it("P1: a little that can be trimmed does not open the gate to a flood", async () => {
    const scene = new GateScene();
    scene.look(150, { doneBytes: MIB, trimmableBytes: MIB });
    expect(await said(times(3, () => scene.enter()))).toEqual(["held", "held", "held"]);
    scene.look(98, { doneBytes: 3 * MIB, trimmableBytes: 3 * MIB });
    const flood = times(10, () => scene.enter({ bytes: MIB }));
    expect(counted(await said(flood))).toEqual({ admitted: 1, held: 9 });
    expect(scene.guard.admission()).toMatchObject({ state: "hard", relievable: true });
  });

  it("P2: admits while trimming is expected to help, and no longer", async () => {
    const scene = new GateScene();
    scene.look(0, { doneBytes: 100 * MIB, trimmableBytes: 50 * MIB });
    expect(await said([scene.enter()])).toEqual(["admitted"]);
    scene.time.advance(2_000);
    expect(await said([scene.enter()])).toEqual(["held"]);
  });

  it("P2: a capture that gives up leaves the line to the others", async () => {
    const scene = new GateScene();
    scene.look(89);
    const leaving = new AbortController();
    const large = scene.enter({ bytes: 50 * MIB, signal: leaving.signal, priority: "high" });
    const behind = scene.enter();
    expect(await said([large, behind])).toEqual(["line", "admitted"]);
    const fits = scene.enter({ bytes: 12 * MIB, signal: leaving.signal });
    const next = scene.enter();
    expect(await said([fits, next])).toEqual(["held", "held"]);
    leaving.abort(new Error("given up"));
    expect(await said([fits, next])).toEqual(["Error", "admitted"]);
    expect(scene.gate.facts()).toMatchObject({ waiting: 0, waitingBytes: 0, refusedByQuota: 1 });
    const late = scene.enter({ signal: leaving.signal });
    expect(await said([late])).toEqual(["Error"]);
  });

  it("P2: close() in hard losing what was buffered: who waits is refused at once and counted", async () => {
    const scene = new GateScene();
    scene.look(91);
    const delayed = scene.enter();
    scene.look(100);
    const waiting = times(10, () => scene.enter());
    expect(counted(await said([delayed, ...waiting]))).toEqual({ held: 11 });
    scene.gate.close();
    expect(counted(await said(waiting))).toEqual({ quota: 10 });
    expect(await said([delayed])).toEqual(["quota"]); // it is hard now, and nobody waits any more
    expect(await said([scene.enter()])).toEqual(["quota"]);
    expect(scene.gate.facts()).toMatchObject({ waiting: 0, delayed: 0, refusedByQuota: 12 });
    expect(scene.time.plannedCount).toBe(0);
    scene.gate.close();
    expect(scene.gate.facts().refusedByQuota).toBe(12);
  });

  it("P2: closing in soft lets in who was delayed, and delays nobody after", async () => {
    const scene = new GateScene();
    scene.look(91);
    const delayed = times(10, () => scene.enter());
    scene.gate.close();
    expect(counted(await said(delayed))).toEqual({ admitted: 10 });
    expect(await said([scene.enter()])).toEqual(["admitted"]);
    expect(scene.time.plannedCount).toBe(0);
  });
});

describe("capture gate", () => {
  it("P2: tells what can never be stored instead of holding it up", async () => {
    const scene = new GateScene();
    const invalid = () => {
      throw new MemspoolError("RECORD_INVALID", "tags is no list. Correct it.");
    };
    const asked: string[] = [];
    for (const [usedMib, priority] of [
      [91, "normal"],
      [100, "normal"],
      [100, "low"],
    ] as const) {
      scene.look(usedMib);
      const check = () => {
        asked.push(priority);
        invalid();
      };
      expect(await said([scene.enter({ priority, check })])).toEqual(["RECORD_INVALID"]);
    }
    expect(asked).toHaveLength(3);
    expect(scene.gate.facts()).toMatchObject({ waiting: 0, delayed: 0, refusedByQuota: 0 });
    scene.look(10);
    expect(await said([scene.enter({ check: invalid })])).toEqual(["admitted"]);
  });

  it("P2: counts a ticket once, however often it is given back", async () => {
    const scene = new GateScene();
    scene.look(10);
    const one = scene.enter();
    await settle();
    expect(scene.gate.inFlight).toBe(1);
    one.ticket?.done("01JQ7Z8X9Y0000000000000001");
    one.ticket?.done("01JQ7Z8X9Y0000000000000002");
    expect(scene.gate.inFlight).toBe(0);
    expect(scene.guard.pendingCount()).toBe(1);
  });

  it("P5: counts each refused capture once, by what refused it", async () => {
    const scene = new GateScene();
    scene.draws = [0];
    scene.look(10, { pendingCount: 1_000 });
    const early = times(3, () => scene.enter({ priority: "low" }));
    scene.memory = "shed";
    const memory = times(2, () => scene.enter({ priority: "low" }));
    scene.memory = "normal";
    scene.look(100, { pendingCount: 0 });
    const quota = scene.enter({ priority: "low" });
    const line = times(66, () => scene.enter());
    expect(counted(await said([...early, ...memory, quota, ...line]))).toEqual({
      ...{ early_drop: 3, memory: 2, quota: 1, line: 2, held: 64 },
    });
    expect(scene.gate.facts()).toMatchObject({
      ...{ refusedByQuota: 3, refusedEarly: 3, refusedByMemory: 2 },
    });
    scene.gate.close();
    expect(counted(await said(line))).toEqual({ line: 2, quota: 64 });
    expect(scene.gate.facts()).toMatchObject({ refusedByQuota: 67 });
  });

  it("P4: warns once a minute of each kind, and tells one recovery with what it cost", async () => {
    const scene = new GateScene();
    scene.look(91);
    times(3, () => scene.enter());
    scene.time.advance(300);
    scene.look(100);
    times(65, () => scene.enter());
    scene.enter({ priority: "low" });
    scene.time.advance(2_000);
    scene.look(80);
    await settle();
    const warned = scene.events.named("backpressure_warning");
    expect(warned.map(({ kind }) => kind)).toEqual(["soft", "hard", "line"]);
    expect(scene.events.named("backpressure_cleared")).toEqual([
      { away_ms: 2_300, delayed: 67, refused: 66 },
    ]);
    scene.time.advance(60_000);
    scene.look(100);
    scene.enter();
    // 64 that were refused in the end, the low one, 63 that began to wait, and this one.
    expect(scene.events.named("backpressure_warning").at(-1)).toEqual({ kind: "hard", count: 129 });
    scene.gate.close();
  });

  it("P9: draws for low priority by the fill with own captures and those in flight", async () => {
    const scene = new GateScene({}, 100);
    scene.draws = [0.29];
    scene.look(1, { pendingCount: 98 });
    const first = scene.enter({ priority: "low" });
    expect(await said([first])).toEqual(["admitted"]);
    first.ticket?.done("01JQ7Z8X9Y0000000000000001");
    const second = scene.enter();
    await settle();
    expect(await said([scene.enter({ priority: "low" })])).toEqual(["early_drop"]);
    expect(await said([second, scene.enter({ priority: "high" })])).toEqual([
      "admitted",
      "admitted",
    ]);
  });
});
