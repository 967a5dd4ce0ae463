import { chmodSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SETTINGS } from "../../src/config/settings.ts";
import { requestFlush } from "../../src/ingest/queue-watch.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { storeAway } from "../support/fake-store.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { gate, IngestBench, until } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";

const POLL_MS = 20;
/** Makes the first delay longer than any test. */
const FOR_EVER = () => 1_000_000;

const away = () => {
  throw storeAway("full");
};

describe("what makes the ingester drain", () => {
  it("I4: its start", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(3);
    bench.ingester().start();
    await until(() => expect([...bench.store.rows.keys()]).toEqual(ids));
    await until(() => expect(bench.reports.at(-1)?.state).toBe("idle"));
    expect(bench.reports.at(-1)).toMatchObject({
      totals: { ingested: 3, duplicates: 0, quarantined: 0, expired: 0 },
      lastBatch: { count: 3 },
      delayed: null,
    });
  });

  it("I4: a wake-up after an append", async () => {
    const bench = new IngestBench();
    const ingester = bench.ingester();
    ingester.start();
    await until(() => expect(bench.reports.at(-1)?.state).toBe("idle"));
    const [ulid] = (await bench.append("later")) as [string];
    ingester.wake();
    await until(() => expect(bench.store.rows.has(ulid)).toBe(true));
  });

  it("I4: a wake-up during a batch is not lost", async () => {
    const bench = new IngestBench();
    const ingester = bench.ingester({ batchRecordsMax: 3 });
    ingester.start();
    const ids: string[] = [];
    for (let n = 0; n < 100; n++) {
      ids.push(...(await bench.append(`${n}`)));
      ingester.wake();
    }
    await until(() => expect([...bench.store.rows.keys()].sort()).toEqual(ids));
  });

  it("I4: the poll, when another process appended and no hint came", async () => {
    const bench = new IngestBench();
    bench.ingester({ pollMs: POLL_MS }).start();
    await until(() => expect(bench.reports.at(-1)?.state).toBe("idle"));
    const other = new CaptureQueue({ queueDir: bench.layout.dir });
    const { ulid } = await other.append({ surface: "elsewhere" });
    await until(() => expect(bench.store.rows.has(ulid)).toBe(true));
    await other.close();
  });

  it("I4: the poll can not be set, nor is it by default, beyond 2 s", () => {
    const { schema, default: pollMs } = SETTINGS["ingest.pollMs"];
    expect(pollMs).toBeLessThanOrEqual(2_000);
    expect(schema.safeParse(2_000).success).toBe(true);
    expect(schema.safeParse(2_001).success).toBe(false);
  });

  it("I4: somebody's flush, here and through the flush file, also in the middle of a delay", async () => {
    const bench = new IngestBench();
    await bench.append("a");
    bench.store.before = away;
    const ingester = bench.ingester({ pollMs: POLL_MS, random: FOR_EVER });
    ingester.start();
    const failures = () => bench.events.named("ingest_delayed").length;
    await until(() => expect(failures()).toBe(1));
    ingester.wake();
    ingester.flush();
    await until(() => expect(failures()).toBe(2));
    requestFlush(nodeDurableFsSync, bench.layout, systemClock);
    await until(() => expect(failures()).toBe(3));
    bench.store.before = () => {};
    await until(() => {
      requestFlush(nodeDurableFsSync, bench.layout, systemClock);
      expect(bench.pending()).toEqual([]);
    });
    expect(bench.events.named("ingest_delayed").length).toBe(3);
  });
});

describe("a store that is away", () => {
  it("I8: captures go on; the waits grow; it is told once when it goes and once when it is back", async () => {
    const bench = new IngestBench();
    await bench.append("before");
    bench.store.before = away;
    bench.ingester().start();
    await until(() => expect(bench.events.named("ingest_delayed").length).toBe(4));
    const delays = bench.events.named("ingest_delayed");
    expect(delays.map(({ retry_in_ms }) => retry_in_ms)).toEqual([50, 100, 200, 400]);
    expect(delays.map(({ failures }) => failures)).toEqual([1, 2, 3, 4]);
    expect(new Set(delays.map(({ code, errno }) => `${code}${errno}`))).toEqual(
      new Set(["STORE_UNAVAILABLE"]),
    );
    expect(bench.reports.at(-1)).toMatchObject({
      state: "delayed",
      delayed: { code: "STORE_UNAVAILABLE", failures: 4 },
    });
    const [during] = (await bench.append("during")) as [string];
    expect(bench.pending()).toHaveLength(2);
    bench.store.before = () => {};
    await until(() => expect(bench.reports.at(-1)).toMatchObject({ state: "idle", delayed: null }));
    expect(bench.store.rows.has(during)).toBe(true);
    expect(bench.events.named("store_unavailable")).toEqual([
      { code: "STORE_UNAVAILABLE", reason: "full" },
    ]);
    expect(bench.events.named("store_recovered")).toHaveLength(1);
    // The first opening was no try of a store that was away; each later one was.
    expect(bench.events.named("store_retried").length).toBeGreaterThanOrEqual(4);
    const breaker = bench.events.all.filter(({ event }) => /^store_(un|re)/.test(event));
    expect(breaker[0]?.event).toBe("store_unavailable");
    expect(breaker.at(-1)?.event).toBe("store_recovered");
    expect(bench.store.closed).toBeGreaterThanOrEqual(4);
  });

  it("R1: it says so from the first failure until a batch got through, also while it tries again", async () => {
    const bench = new IngestBench(new ManualClock());
    await bench.append("a");
    const trying = gate();
    bench.store.before = () => {
      if (bench.store.tried.length === 1) away();
      return trying.opened;
    };
    bench.ingester().start();
    await until(() => expect(bench.store.tried).toHaveLength(2));
    const sinceMs = bench.clock.nowMs();
    const delayed = { code: "STORE_UNAVAILABLE", reason: "full", sinceMs, failures: 1 };
    expect(bench.reports.at(-1)).toMatchObject({ state: "draining", delayed });
    trying.open();
    await until(() => expect(bench.reports.at(-1)).toMatchObject({ state: "idle", delayed: null }));
  });

  it("I8: a queue that emptied meanwhile does not show that the store is back", async () => {
    const bench = new IngestBench();
    const [ulid] = await bench.append("a");
    bench.store.before = away;
    bench.ingester().start();
    await until(() => expect(bench.events.named("store_unavailable")).toHaveLength(1));
    expect(await bench.queue.ingestPending(() => {})).toBe(1);
    await until(() => expect(bench.reports.at(-1)?.state).toBe("idle"));
    expect(bench.store.rows.has(ulid as string)).toBe(false);
    expect(bench.events.named("store_recovered")).toEqual([]);
  });

  it("I8: a store that can not even be opened is waited for, one try a wait", async () => {
    const bench = new IngestBench();
    await bench.appendMany(8);
    let opens = 0;
    const openStore = async () => {
      opens++;
      throw new TypeError("no way to open it");
    };
    bench.ingester({ openStore, random: FOR_EVER }).start();
    await until(() => expect(bench.reports.at(-1)?.state).toBe("delayed"));
    expect(opens).toBe(1);
    expect(bench.pending()).toHaveLength(8);
    expect(bench.events.named("ingest_delayed")[0]?.code).toBe("INTERNAL");
  });

  it("I8: a disk that fails under the queue is told with its errno, and recovered from", async () => {
    const bench = new IngestBench();
    const faulty = faultyFsSync();
    await bench.append("a");
    faulty.fail({ method: "names", errno: "EIO" });
    bench.ingester({ fs: faulty.fs, pollMs: POLL_MS }).start();
    await until(() => expect(bench.events.named("ingest_delayed").length).toBeGreaterThan(1));
    expect(bench.events.named("ingest_delayed")[0]).toMatchObject({
      code: "DATA_DIR_UNUSABLE",
      errno: "EIO",
    });
    faulty.fail(undefined);
    await until(() => expect(bench.pending()).toEqual([]));
  });

  it("I8: a queue directory that was removed is made again", async () => {
    const bench = new IngestBench();
    await bench.append("a");
    const ingester = bench.ingester({ pollMs: POLL_MS });
    ingester.start();
    await until(() => expect(bench.pending()).toEqual([]));
    rmSync(bench.layout.dir, { recursive: true });
    await until(() => expect(bench.reports.at(-1)?.state).toBe("idle"));
    const { ulid } = await bench.queue.append({ surface: "after" });
    chmodSync(bench.layout.dir, 0o700);
    await until(() => expect(bench.store.rows.has(ulid)).toBe(true));
  });
});

describe("stopping", () => {
  it("I7: finishes the batch in hand, settles it, and begins no further one", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(3);
    const commit = gate();
    bench.store.before = () => commit.opened;
    const ingester = bench.ingester({ batchRecordsMax: 1 });
    ingester.start();
    await until(() => expect(bench.store.tried).toHaveLength(1));
    let stopped = false;
    const stopping = ingester.stop().then(() => {
      stopped = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    commit.open();
    await stopping;
    expect([...bench.store.rows.keys()]).toEqual(ids.slice(0, 1));
    expect(bench.pending()).toEqual(ids.slice(1));
    expect(bench.reports.at(-1)?.state).toBe("stopped");
    expect(bench.store.closed).toBe(1);
  });

  it("I7: a batch that fails while stopping is rolled back and leaves its files", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(2);
    const commit = gate();
    bench.store.before = () => commit.opened.then(away);
    const ingester = bench.ingester();
    ingester.start();
    await until(() => expect(bench.store.tried).toHaveLength(1));
    const stopping = ingester.stop();
    commit.open();
    await stopping;
    expect(bench.pending()).toEqual(ids);
    expect(bench.reports.at(-1)).toMatchObject({ state: "stopped", delayed: null });
  });

  it("I7: is idempotent, ends a delay, and what comes afterwards does nothing", async () => {
    const bench = new IngestBench();
    await bench.append("a");
    bench.store.before = away;
    const ingester = bench.ingester({ random: FOR_EVER });
    ingester.start();
    await until(() => expect(bench.reports.at(-1)?.state).toBe("delayed"));
    await Promise.all([ingester.stop(), ingester.stop()]);
    const reports = bench.reports.length;
    ingester.wake();
    ingester.flush();
    await ingester.stop();
    expect(bench.reports.length).toBe(reports);
    expect(bench.store.tried).toHaveLength(1);
  });

  it("I7: a drain that the caller waits for is finished, too", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(3);
    const commit = gate();
    bench.store.before = () => commit.opened;
    const ingester = bench.ingester({ batchRecordsMax: 1 });
    const draining = ingester.drain({ dueOrNot: true });
    await until(() => expect(bench.store.tried).toHaveLength(1));
    const stopping = ingester.stop();
    expect(bench.store.closed).toBe(0);
    commit.open();
    await stopping;
    expect(await draining).toEqual({ ingested: 1, quarantined: 0, skipped: 0 });
    expect(bench.pending()).toEqual(ids.slice(1));
  });
});
