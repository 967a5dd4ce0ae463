import { statSync, writeFileSync } from "node:fs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { ageHistogram } from "../../src/memory/status.ts";
import { BACKLOG_OLD_MS, FORGETTING_OLD_MS } from "../../src/memory/status-reasons.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { placeOrder } from "../../src/queue/forget-order.ts";
import { generateUlid, ulidTimeMs } from "../../src/record/record-id.ts";
import { okStatus } from "../support/fake-memory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { IDLE, MemoryBench, storeIsAway } from "../support/memory-bench.ts";

describe("status", () => {
  it("R1: of a fresh data directory is ok and empty, and makes no store", async () => {
    const bench = await MemoryBench.open();
    bench.storeExists = false;
    bench.before.stats = () => expect.unreachable("asked the store");
    expect(await bench.memory.status()).toEqual({
      version: "0.0.0",
      pid: process.pid,
      started_at: expect.stringMatching(/Z$/),
      now: expect.stringMatching(/Z$/),
      state: "ok",
      reasons: [],
      data_dir: bench.home,
      project: "",
      spool: {
        quota_mb: 512,
        used_mb: 0,
        soft_pct: 90,
        hard_pct: 100,
        state: "normal",
        dropped_batches: 0,
      },
      spool_bytes: null,
      pressure: okStatus().pressure,
      ingest_rate: 0,
      events: [],
      queue: {
        depth: 0,
        bytes: 0,
        oldest_age_ms: null,
        age_histogram: [
          { under_s: 1, count: 0 },
          { under_s: 10, count: 0 },
          { under_s: 60, count: 0 },
          { under_s: 600, count: 0 },
          { under_s: 3_600, count: 0 },
          { under_s: 86_400, count: 0 },
          { count: 0 },
        ],
        quarantined: 0,
        spilled: 0,
        forgetting: 0,
        oldest_forgetting_age_ms: null,
        max_records: 10_000,
        overflow: "spill",
      },
      counters: { captured: 0, capture_failures: 0, ingested: 0, duplicates: 0, quarantined: 0 },
      ingester: {
        leader: null,
        this_process_leads: false,
        last_batch: null,
        lag_ms: 0,
        delayed: null,
      },
      store: { kind: "sqlite", state: "unopened", records: null, bytes: null, error: null },
      hooks: {
        captured: 0,
        ignored: 0,
        failures: 0,
        last_captured_at: null,
        last_failure_at: null,
        last_failure_code: null,
      },
      privacy: { private_spans: false, secrets: false, patterns: 0 },
      retention: { on: false, days: 0, projects: 0, forgotten: 0 },
    });
  });

  it("R1: counts depth, bytes and ages, whichever process wrote", async () => {
    const clock = new ManualClock();
    const bench = await MemoryBench.open({ clock });
    const ulids = await bench.capture("oldest", "old");
    clock.advance(20_000);
    ulids.push((await bench.otherProcess().append({ surface: "new" })).ulid);
    clock.advance(500);
    const bytes = ulids.reduce((sum, ulid) => sum + statSync(bench.path(ulid)).size, 0);
    const { queue, ingester } = await bench.memory.status();
    expect(queue).toMatchObject({ depth: 3, bytes, oldest_age_ms: 20_500 });
    expect(ingester.lag_ms).toBe(20_500);
    expect(queue.age_histogram.filter(({ count }) => count > 0)).toEqual([
      { under_s: 1, count: 1 },
      { under_s: 60, count: 2 },
    ]);
    for (const ulid of ulids) await bench.ingest(ulid);
    expect((await bench.memory.status()).queue).toMatchObject({ depth: 0, bytes: 0 });
  });

  it("R1: the histogram sums to the depth, each age in the one bucket that it is under", () => {
    const ages = [0, 999, 1_000, 9_999, 10_000, 59_999, 60_000, 3_599_999, 86_399_999, 86_400_000];
    const counts = ageHistogram(ages).map(({ count }) => count);
    expect(counts).toEqual([2, 2, 2, 1, 1, 1, 1]);
    expect(counts.reduce((sum, count) => sum + count)).toBe(ages.length);
  });

  it("R1: an id from ahead of the clock has no age", async () => {
    const clock = new ManualClock();
    const bench = await MemoryBench.open({ clock });
    await bench.capture("from the future");
    clock.step(-60_000);
    expect((await bench.memory.status()).queue.oldest_age_ms).toBe(0);
  });

  it("R1: is degraded, with its reason, while the store is away", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored("kept");
    const before = await bench.memory.status();
    expect(before.store).toMatchObject({ state: "ok", records: 1, error: null });
    expect(before.store.bytes).toBeGreaterThan(0);
    bench.away = storeIsAway();
    expect(await bench.memory.status()).toMatchObject({
      state: "degraded",
      reasons: ["The store is away (STORE_UNAVAILABLE); captures stay safe in the queue."],
      store: { state: "unavailable", records: null, error: { code: "STORE_UNAVAILABLE" } },
    });
    bench.away = new Error("a driver's words");
    const unknown = await bench.memory.status();
    expect(unknown).toMatchObject({ state: "degraded", store: { error: { code: "INTERNAL" } } });
    expect(JSON.stringify(unknown)).not.toContain("driver's words");
    bench.away = undefined;
    expect((await bench.memory.status()).state).toBe("ok");
  });

  it("R1: answers although the store does not", async () => {
    const bench = await MemoryBench.open();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    let answer = () => {};
    const silent = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const asked = new Promise<void>((resolve) => {
      bench.before.stats = () => {
        resolve();
        return silent;
      };
    });
    const status = bench.memory.status();
    await asked;
    vi.advanceTimersByTime(2_000);
    expect((await status).store).toMatchObject({
      state: "unavailable",
      error: { code: "STORE_UNAVAILABLE", message: "The store gave no answer within 2 s." },
    });
    expect(vi.getTimerCount()).toBe(0);
    answer();
  });

  it("R1: is degraded while the backlog is old, and says whether anybody drains", async () => {
    const clock = new ManualClock();
    const bench = await MemoryBench.open({ clock });
    await bench.capture("old");
    clock.advance(BACKLOG_OLD_MS);
    expect((await bench.memory.status()).state).toBe("ok");
    clock.advance(1_000);
    expect(await bench.memory.status()).toMatchObject({
      state: "degraded",
      reasons: ["The oldest pending record is 61 s old and no process drains the queue."],
    });
    bench.ingesterView = {
      ...IDLE,
      leader: { pid: 7, host: "box", sinceMs: clock.nowMs() },
      lastBatch: { atMs: clock.nowMs(), count: 5, ms: 2 },
      totals: { ingested: 5, duplicates: 1, quarantined: 2, expired: 4 },
    };
    const at = new Date(clock.nowMs()).toISOString();
    expect(await bench.memory.status()).toMatchObject({
      reasons: ["The oldest pending record is 61 s old."],
      counters: { ingested: 5, duplicates: 1, quarantined: 2 },
      retention: { on: false, days: 0, projects: 0, forgotten: 4 },
      ingester: {
        leader: { pid: 7, host: "box", since: at },
        last_batch: { at, count: 5, ms: 2 },
        lag_ms: 61_000,
      },
    });
  });

  it("R1: is degraded while the ingester waits, and while something is in quarantine", async () => {
    const bench = await MemoryBench.open();
    const untilMs = Date.UTC(2026, 0, 1);
    const delayed = {
      ...{ code: "STORE_UNAVAILABLE", reason: "busy", failures: 3 },
      ...{ sinceMs: untilMs - 60_000, untilMs },
    };
    bench.ingesterView = { ...IDLE, delayed };
    const [ulid = "", other = ""] = await bench.capture("bad", "worse");
    bench.setAside(ulid);
    expect(await bench.memory.status()).toMatchObject({
      state: "degraded",
      reasons: [
        "The ingester waits after 3 failures in a row (STORE_UNAVAILABLE: busy), since 2025-12-31T23:59:00.000Z.",
        "1 record is in quarantine; see `memspool quarantine list`.",
      ],
      queue: { depth: 1, quarantined: 1 },
      ingester: {
        delayed: {
          reason: "busy",
          since: "2025-12-31T23:59:00.000Z",
          until: "2026-01-01T00:00:00.000Z",
          failures: 3,
        },
      },
    });
    bench.ingesterView = { ...IDLE, delayed: { ...delayed, reason: "", failures: 1 } };
    bench.setAside(other);
    expect((await bench.memory.status()).reasons).toEqual([
      "The ingester waits after a failure (STORE_UNAVAILABLE), since 2025-12-31T23:59:00.000Z.",
      "2 records are in quarantine; see `memspool quarantine list`.",
    ]);
  });

  it("R1: counts orders to forget, and is degraded when one is held up", async () => {
    const request = generateUlid();
    const clock = new ManualClock(ulidTimeMs(request));
    const bench = await MemoryBench.open({ clock });
    const ulids = await bench.capture("to forget");
    placeOrder(nodeDurableFsSync, bench.layout, { request, at: "", reason: "", ulids });
    clock.advance(FORGETTING_OLD_MS);
    const status = await bench.memory.status();
    const age = { forgetting: 1, oldest_forgetting_age_ms: FORGETTING_OLD_MS };
    expect(status.queue).toMatchObject(age);
    expect(status.reasons.join()).not.toContain("forget");
    clock.advance(1);
    const { state, reasons } = await bench.memory.status();
    expect(state).toBe("degraded");
    expect(reasons).toContain("An order to forget is not carried out; see `memspool doctor`.");
  });

  it("R1: is failing after a capture that the disk refused, until one succeeds", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("one");
    bench.disk.fail({ method: "write", errno: "ENOSPC" });
    await expect(bench.memory.capture({ surface: "two" })).rejects.toThrow(MemspoolError);
    bench.disk.fail(undefined);
    expect(await bench.memory.status()).toMatchObject({
      state: "failing",
      reasons: ["The last capture failed (CAPTURE_FAILED); see `memspool doctor`."],
      counters: { captured: 1, capture_failures: 1 },
    });
    // A refused record says nothing about the disk.
    await expect(bench.memory.capture({ surface: 7 as never })).rejects.toThrow(MemspoolError);
    expect((await bench.memory.status()).state).toBe("failing");
    await bench.capture("three");
    expect(await bench.memory.status()).toMatchObject({
      state: "ok",
      reasons: [],
      counters: { captured: 2, capture_failures: 2 },
    });
    await expect(bench.memory.capture({ surface: 7 as never })).rejects.toThrow(MemspoolError);
    expect((await bench.memory.status()).state).toBe("ok");
  });

  it("R1: holds no text of any record", async () => {
    const bench = await MemoryBench.open({ project: "birds" });
    const secret = "Zaubernuss";
    const record = { surface: secret, cue: secret, tags: [secret], session_id: secret };
    const [, damaged = "", refused = ""] = await bench.capture(record, record, record);
    writeFileSync(bench.path(damaged), `{"surface":"${secret}"`);
    bench.setAside(refused);
    await bench.captureStored(record);
    bench.disk.fail({ method: "link", errno: "EIO" });
    await expect(bench.memory.capture(record)).rejects.toThrow();
    bench.disk.fail(undefined);
    const { memory } = bench;
    const shown = [await memory.status(), await memory.pending({}), await memory.quarantined({})];
    expect(shown[0]).toMatchObject({ state: "failing", queue: { depth: 2 }, project: "birds" });
    expect(JSON.stringify(shown)).not.toMatch(/zaubernuss/i);
  });
});
