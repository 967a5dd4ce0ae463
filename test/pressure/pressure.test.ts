/** Pressure control of a server as a whole: from its sensors to captures, trimming and the alert. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { HANGS_MS } from "../../src/pressure/control-loop.ts";
import { HARD_ALERT_NAME, HARD_MS } from "../../src/pressure/hard-alert.ts";
import { BLIND_MS } from "../../src/pressure/spool-guard.ts";
import { PressureBench, QUOTA_BYTES } from "../support/pressure-bench.ts";

const NORMAL = { priority: "normal", bytes: 10 } as const;

/** Between each and the next. */
const gaps = (atMs: readonly number[]) => atMs.slice(1).map((each, at) => each - (atMs[at] ?? 0));

describe("from the sensors to captures", () => {
  it("P1: caching usage so that a new file went unseen", async () => {
    const bench = await new PressureBench().started();
    bench.usage = { doneBytes: QUOTA_BYTES };
    await bench.pass(1_050);
    expect(bench.pressure.facts().spool.state).toBe("hard");
    bench.usage = {};
    await bench.pass(1_050);
    expect(bench.pressure.facts().spool.state).toBe("normal");
    expect(bench.events.named("backpressure_cleared")).toHaveLength(1);
  });

  it("P2: use over soft asks the ingester to trim, again and again while it lasts", async () => {
    const bench = await new PressureBench().started();
    expect(bench.trims).toBe(0);
    bench.usage = { doneBytes: QUOTA_BYTES * 0.95, trimmableBytes: 1_000 };
    await bench.pass(2_000);
    expect(bench.trims).toBeGreaterThan(5);
    bench.usage = {};
    await bench.pass(1_000);
    const { trims } = bench;
    await bench.pass(5_000);
    expect(bench.trims).toBe(trims);
  });

  it("P2: what trimming has to leave is not waited for", async () => {
    const bench = await new PressureBench().started();
    bench.signs = { isDraining: false, lastBatchMs: 0, heldBackBytes: 1_000 };
    bench.usage = { doneBytes: QUOTA_BYTES * 0.95, trimmableBytes: 1_001 };
    await bench.pass(1_050);
    (await bench.gate.enter(NORMAL)).done(undefined);
    bench.usage = { doneBytes: QUOTA_BYTES * 0.95, trimmableBytes: 1_000 };
    await bench.pass(100);
    void bench.gate.enter(NORMAL);
    expect(bench.pressure.facts()).toMatchObject({
      spool: { state: "soft" },
      gate: { delayed: 1 },
    });
  });

  it("P2: room that the ingester made is seen at once by who waits for it", async () => {
    const bench = await new PressureBench().started();
    bench.lookCostMs = 1;
    bench.usage = { doneBytes: QUOTA_BYTES };
    await bench.pass(2_000);
    const capture = bench.gate.enter(NORMAL);
    let admittedAtMs = Number.POSITIVE_INFINITY;
    void capture.then(() => {
      admittedAtMs = bench.time.clock.monotonicMs();
    });
    await bench.pass(50);
    bench.usage = {};
    const roomAtMs = bench.time.clock.monotonicMs();
    bench.pressure.roomMade();
    await bench.pass(50);
    expect(admittedAtMs - roomAtMs).toBeLessThanOrEqual(50);
  });

  it.each(["hard", "waiting"])(
    "P2: the end of hard is seen two seconds later at the latest (%s), whatever a look costs",
    async (why) => {
      const bench = await new PressureBench().started();
      const lookedAtMs: number[] = [];
      bench.measure = async () => {
        lookedAtMs.push(bench.time.clock.monotonicMs());
        return bench.look();
      };
      bench.lookCostMs = 1_000;
      await bench.pass(10_000);
      expect(gaps(lookedAtMs).slice(-1)).toEqual([5_000]);
      if (why === "hard") bench.usage = { doneBytes: QUOTA_BYTES };
      else bench.waiting = 1;
      await bench.pass(6_000); // until a look has found it
      lookedAtMs.length = 0;
      await bench.pass(9_000);
      expect(new Set(gaps(lookedAtMs))).toEqual(new Set([2_000]));
    },
  );

  it("P9: what the ingester reports while all is normal starts no look", async () => {
    const bench = await new PressureBench().started();
    let looks = 0;
    bench.lookCostMs = 1;
    bench.measure = async () => {
      looks++;
      return bench.look();
    };
    await bench.pass(2_000);
    looks = 0;
    bench.time.advance(200); // an idle tick has just been
    for (let n = 0; n < 10; n++) bench.pressure.roomMade();
    expect(looks).toBe(0);
  });

  it("P4: hard for five minutes is an alert, which goes on recovery", async () => {
    const bench = await new PressureBench().started();
    const path = join(bench.home, "alerts", HARD_ALERT_NAME);
    bench.usage = { pendingBytes: QUOTA_BYTES };
    await bench.pass(HARD_MS + 2_000);
    expect(bench.events.named("backpressure_critical")).toHaveLength(1);
    expect(existsSync(path)).toBe(true);
    bench.usage = {};
    await bench.pass(1_000);
    expect(existsSync(path)).toBe(false);
    expect(bench.events.named("alert_cleared")).toEqual([{ alert: HARD_ALERT_NAME }]);
  });

  it("P4: an alert of a dead process stays while nobody knows whether it is still hard", async () => {
    const bench = new PressureBench();
    const path = join(bench.home, "alerts", HARD_ALERT_NAME);
    mkdirSync(dirname(path));
    writeFileSync(path, "of an earlier process");
    bench.measure = () => new Promise(() => {});
    await bench.started();
    await bench.pass(2_000);
    expect(existsSync(path)).toBe(true);
  });

  it("P7: short memory refuses low priority and nobody else", async () => {
    const bench = await new PressureBench().started();
    bench.memoryPct = 86;
    await bench.pass(1_050);
    const { gate } = bench;
    await expect(gate.enter({ priority: "low", bytes: 10 })).rejects.toMatchObject({
      ...{ code: "BACKPRESSURE", details: { reason: "memory", stored: "no" } },
    });
    (await gate.enter(NORMAL)).done(undefined);
    (await gate.enter({ priority: "high", bytes: 10 })).done(undefined);
  });

  it("P9: a look at the disk that hangs holds up no capture and no other sensor", async () => {
    const bench = new PressureBench();
    bench.measure = () => new Promise(() => {});
    await bench.started();
    bench.memoryPct = 95;
    (await bench.gate.enter(NORMAL)).done(undefined);
    await bench.pass(15_000);
    (await bench.gate.enter(NORMAL)).done(undefined);
    expect(bench.paces).toEqual([0.5]);
    expect(bench.pressure.facts().spool.usage).toBeUndefined();
    expect(bench.events.named("sensor_failed")).toEqual([{ sensor: "spool", errno: "ETIMEDOUT" }]);
  });

  it("P9: looks that fail for ever after a full disk do not keep captures out for ever", async () => {
    for (const fails of [
      () => Promise.reject(new Error("EIO")),
      () => new Promise<never>(() => {}),
    ]) {
      const bench = await new PressureBench().started();
      bench.usage = { pendingBytes: QUOTA_BYTES };
      await bench.pass(HARD_MS + 2_000);
      expect(bench.pressure.facts().spool.state).toBe("hard");
      bench.measure = fails;
      await bench.pass(HANGS_MS + BLIND_MS + 1_000);
      (await bench.gate.enter(NORMAL)).done(undefined);
      const failed = bench.events.named("sensor_failed").filter(({ sensor }) => sensor === "spool");
      expect(failed).toHaveLength(1);
      expect(bench.events.named("backpressure_cleared")).toHaveLength(1);
      expect(bench.events.named("alert_cleared")).toHaveLength(1);
    }
  });

  it("P9: a capture that begins makes the loop look at once, not at the idle tick", async () => {
    const bench = await new PressureBench().started();
    let looks = 0;
    bench.measure = async () => {
      looks++;
      return bench.look();
    };
    const ticket = await bench.gate.enter(NORMAL);
    await bench.pass(500);
    expect(looks).toBeGreaterThanOrEqual(9);
    ticket.done(undefined);
    await bench.pass(100);
    looks = 0;
    await bench.pass(5_000);
    expect(looks).toBeLessThanOrEqual(5);
  });

  it("R1: the latency of acknowledgements counts the waiting, and no refusal", async () => {
    const bench = await new PressureBench().started();
    const quick = await bench.gate.enter(NORMAL);
    bench.time.advance(4);
    quick.done("01ARZ3NDEKTSV4RRFFQ69G5FAV");
    const failed = await bench.gate.enter(NORMAL);
    bench.time.advance(1_000);
    failed.done(undefined);
    expect(bench.pressure.facts()).toMatchObject({ ackP50Ms: 4, ackP99Ms: 4 });
    bench.usage = { pendingBytes: QUOTA_BYTES * 0.95 };
    await bench.pass(1_050);
    const slowed = bench.gate.enter(NORMAL);
    await bench.pass(400);
    (await slowed).done("01ARZ3NDEKTSV4RRFFQ69G5FAW");
    expect(bench.pressure.facts().ackP99Ms).toBeGreaterThanOrEqual(300);
  });

  it("I7: stop answers whoever waits at once, and leaves no timer", async () => {
    const bench = await new PressureBench().started();
    bench.usage = { pendingBytes: QUOTA_BYTES };
    await bench.pass(1_050);
    const waiting = [1, 2, 3].map(() => bench.gate.enter(NORMAL));
    const refused = Promise.allSettled(waiting);
    expect(bench.pressure.facts().gate.waiting).toBe(3);
    bench.gate.close();
    bench.pressure.stop();
    bench.pressure.stop();
    expect((await refused).map(({ status }) => status)).toEqual(Array(3).fill("rejected"));
    expect(bench.pressure.facts().gate).toMatchObject({ waiting: 0, refusedByQuota: 3 });
    expect(bench.time.plannedCount).toBe(0);
  });
});
