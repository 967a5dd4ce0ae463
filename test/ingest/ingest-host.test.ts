import { once } from "node:events";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished } from "vitest";
import { IngestHost } from "../../src/ingest/ingest-host.ts";
import type { FromIngestWorker, IngestWorkerData } from "../../src/ingest/ingest-messages.ts";
import { ingesterView } from "../../src/ingest/ingester-view.ts";
import { QueueWatch } from "../../src/ingest/queue-watch.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { IngestBench, NEVER_MS, until } from "../support/ingest-bench.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

const STAND_IN = pathToFileURL(join("test", "support", "ingest-worker.mjs"));
const BUILT = pathToFileURL(join("dist", "ingest-worker.mjs"));

function start(workerUrl: URL, queueDir: string, storeFile: string) {
  const layout = queueLayout(queueDir);
  mkdirSync(layout.ingesterDir, { recursive: true });
  const events = new RecordedEvents();
  const states: string[] = [];
  const host = new IngestHost({
    layout,
    clock: systemClock,
    fs: nodeDurableFsSync,
    events,
    workerUrl,
    workerData: { queueDir, storeFile, attemptsMax: 3, batchRecordsMax: 500, pollMs: NEVER_MS },
    onReport: ({ state }) => states.push(state),
  });
  onTestFinished(() => host.stop());
  host.start();
  const lost = () => events.named("leader_lost").map(({ reason }) => reason);
  return { host, layout, events, states, lost };
}

const standIn = (kind: string) => start(STAND_IN, freshDirectory(), kind);

describe("IngestHost", () => {
  it("I3: starts the worker once elected, and passes on what it says", async () => {
    const { host, events, states } = standIn("obedient");
    expect([host.leads, host.report]).toEqual([false, undefined]);
    await until(() => expect(states).toEqual(["idle"]));
    expect([host.leads, host.report?.state]).toEqual([true, "idle"]);
    expect(events.named("leader_elected")).toEqual([{ pid: process.pid }]);
    expect(events.named("store_recovered")).toEqual([{ away_ms: 1 }]);
  });

  it("I4: joins the hints of a burst, and passes on a flush", async () => {
    const { host, states } = standIn("obedient");
    await until(() => expect(states).toEqual(["idle"]));
    for (let n = 0; n < 50; n++) host.wake();
    await until(() => expect(states).toEqual(["idle", "draining"]));
    host.wake();
    host.flush();
    await until(() => expect(states).toEqual(["idle", "draining", "delayed", "draining"]));
  });

  it("I4: a follower's flush reaches the leader through the flush file", async () => {
    const queueDir = freshDirectory();
    const layout = queueLayout(queueDir);
    mkdirSync(layout.leasePath, { recursive: true });
    const leader = new QueueWatch(nodeDurableFsSync, layout, systemClock);
    const { host } = start(STAND_IN, queueDir, "obedient");
    host.wake();
    host.flush();
    expect(leader.flushWanted()).toBe(true);
    expect(host.leads).toBe(false);
  });

  it("I3: a lost lease ends the worker, and the host stays a candidate", async () => {
    const { host, layout, events, lost, states } = standIn("obedient");
    await until(() => expect(host.leads).toBe(true));
    rmdirSync(layout.leasePath);
    await until(() => expect(lost()).toEqual(["compromised"]));
    await until(() => expect(events.named("leader_elected")).toHaveLength(2));
    await until(() => expect(states).toContain("delayed")); // the first worker heard "stop"
    expect(host.leads).toBe(true);
  });

  it.each(["faulty", "doomed"])(
    "I8: a worker that dies (%s) costs the lead, not the process, and is started again",
    async (kind) => {
      const { host, events, lost } = standIn(kind);
      await until(() => expect(events.named("leader_elected")).toHaveLength(1));
      host.wake();
      await until(() => expect(lost()).toEqual(["worker_ended"]));
      await until(() => expect(events.named("leader_elected")).toHaveLength(2));
    },
  );

  it("I8: a worker that can not be started at all costs the lead, not the process", async () => {
    const { host, layout, lost } = start(
      new URL("https://127.0.0.1/worker.mjs"), // refused by the constructor
      freshDirectory(),
      "obedient",
    );
    await until(() => expect(lost().length).toBeGreaterThan(0));
    expect(lost()[0]).toBe("worker_ended");
    await until(() => expect(host.leads).toBe(false));
    await host.stop();
    expect(existsSync(layout.leasePath)).toBe(false);
  });

  it("I7: stopping ends the worker and gives the lease back; a second stop is the first", async () => {
    const { host, layout, lost, states } = standIn("obedient");
    await until(() => expect(host.leads).toBe(true));
    await Promise.all([host.stop(), host.stop()]);
    expect(states.at(-1)).toBe("delayed"); // its answer to "stop"
    expect([host.leads, existsSync(layout.leasePath)]).toEqual([false, false]);
    expect(lost()).toEqual(["released"]);
    host.start();
    host.wake();
    host.flush();
    expect(host.leads).toBe(false);
  });

  it("I7: a worker that never answers is ended, and the lease given back all the same", async () => {
    const { host, layout, states } = standIn("deaf");
    await until(() => expect(states).toEqual(["idle"]));
    await host.stop();
    expect([host.leads, existsSync(layout.leasePath)]).toEqual([false, false]);
  });

  it("I7: stopping a follower is a matter of course", async () => {
    const queueDir = freshDirectory();
    mkdirSync(queueLayout(queueDir).leasePath, { recursive: true });
    const { host, lost } = start(STAND_IN, queueDir, "obedient");
    await host.stop();
    expect(lost()).toEqual([]);
    expect(existsSync(queueLayout(queueDir).leasePath)).toBe(true);
  });
});

describe("the built worker", () => {
  it("I2: drains in a thread of its own, tells who leads, and ends with its batch settled", async () => {
    const bench = new IngestBench();
    await bench.appendMany(20);
    const { host, layout } = start(BUILT, bench.layout.dir, bench.storeFile);
    await until(() => expect(host.report?.totals.ingested).toBe(20));
    const view = await ingesterView(nodeDurableFs, layout, host, 0);
    expect(view).toMatchObject({
      leader: { pid: process.pid },
      thisProcessLeads: true,
      lastBatch: { count: 20 },
      delayed: null,
      totals: { ingested: 20, duplicates: 0, quarantined: 0, expired: 0 },
    });
    const [late] = await bench.append("late");
    host.wake();
    await until(() => expect(bench.pending()).toEqual([]));
    await host.stop();
    const store = await bench.openSqlite();
    expect((await store.get(late as string))?.record.surface).toBe("late");
    await store.close();
    expect((await ingesterView(nodeDurableFs, layout, host, 0)).leader).toBeNull();
  });

  it("I3: two workers at once on one directory end with each record exactly once", async () => {
    const bench = new IngestBench();
    await bench.append("first");
    const inserted = [0, 0];
    const workers = inserted.map((_, index) => {
      const worker = new Worker(BUILT, {
        workerData: { ...workerData(bench), batchRecordsMax: 3 },
      });
      worker.on("message", (message: FromIngestWorker) => {
        if (message.type !== "event" || message.event.event !== "capture_ingested") return;
        inserted[index] = (inserted[index] ?? 0) + message.event.fields.inserted;
      });
      return worker;
    });
    for (let n = 0; n < 300; n++) {
      await bench.append(`${n}`);
      for (const worker of workers) worker.postMessage({ type: "wake" });
    }
    await until(() => expect(bench.pending()).toEqual([]));
    await Promise.all(
      workers.map((worker) => {
        worker.postMessage({ type: "stop" });
        return once(worker, "exit");
      }),
    );
    expect(inserted.every((count) => count > 0)).toBe(true);
    expect(inserted.reduce((sum, count) => sum + count)).toBe(301);
    const store = await bench.openSqlite();
    expect((await store.stats()).records).toBe(301);
    await store.close();
  });
});

function workerData({ layout, storeFile }: IngestBench): IngestWorkerData {
  return {
    queueDir: layout.dir,
    storeFile,
    attemptsMax: 3,
    batchRecordsMax: 500,
    pollMs: NEVER_MS,
  };
}
