import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { openIngestStore } from "../../src/ingest/open-ingest-store.ts";
import { IngestBench, until } from "../support/ingest-bench.ts";

const DRAIN = { dueOrNot: false };

function bench() {
  const queue = new IngestBench();
  const openStore = () => openIngestStore(queue.storeFile, queue.layout, queue.events);
  return { queue, ingester: queue.ingester({ openStore }) };
}

async function storedIds(queue: IngestBench): Promise<string[]> {
  const store = await queue.openSqlite();
  const records = await store.timeline({ filter: {}, limit: 1_000, order: "oldest" });
  await store.close();
  return records.map(({ ulid }) => ulid);
}

function removeStore(queue: IngestBench): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(queue.storeFile + suffix, { force: true });
}

describe("the ingester on a real store", () => {
  it("I8: a store that is missing is made anew; it is told only if records had been ingested", async () => {
    const { queue, ingester } = bench();
    await queue.append("a");
    await ingester.drain(DRAIN);
    expect(queue.events.named("store_missing")).toEqual([]);
    await ingester.stop();
    removeStore(queue);
    const [ulid] = await queue.append("b");
    const openStore = () => openIngestStore(queue.storeFile, queue.layout, queue.events);
    await queue.ingester({ openStore }).drain(DRAIN);
    expect(queue.events.named("store_missing")).toEqual([
      { advice: expect.stringContaining("memspool rebuild") },
    ]);
    expect(await storedIds(queue)).toEqual([ulid]);
  });

  it.each<[string, (queue: IngestBench) => void]>([
    ["deleted", removeStore],
    [
      "deleted with its directory",
      (queue) => rmSync(dirname(queue.storeFile), { recursive: true }),
    ],
    ["moved away", (queue) => renameSync(queue.storeFile, `${queue.storeFile}.old`)],
    [
      "replaced by another file",
      (queue) => {
        removeStore(queue);
        writeFileSync(queue.storeFile, "");
      },
    ],
    ["robbed of its log", (queue) => rmSync(`${queue.storeFile}-wal`)],
  ])("I8: a store that is %s while it is open takes no record with it", async (_, harm) => {
    const { queue, ingester } = bench();
    await queue.append("before");
    await ingester.drain(DRAIN);
    harm(queue);
    const ids = await queue.append("after", "and after");
    await expect(ingester.drain(DRAIN)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      details: { reason: "replaced" },
    });
    expect(queue.pending()).toEqual(ids);
    await ingester.stop();
    await queue
      .ingester({ openStore: () => openIngestStore(queue.storeFile, queue.layout, queue.events) })
      .drain(DRAIN);
    expect(queue.pending()).toEqual([]);
    expect(await storedIds(queue)).toEqual(expect.arrayContaining(ids));
  });

  it("I8: a running ingester finds a deleted store, makes a new one, and tells both", async () => {
    const { queue, ingester } = bench();
    await queue.append("before");
    ingester.start();
    await until(() => expect(queue.pending()).toEqual([]));
    removeStore(queue);
    const [ulid] = await queue.append("after");
    ingester.wake();
    await until(() => expect(queue.pending()).toEqual([]));
    await until(() => expect(queue.events.named("store_recovered")).toHaveLength(1));
    expect(queue.events.named("store_unavailable")).toEqual([
      { code: "STORE_UNAVAILABLE", reason: "replaced" },
    ]);
    expect(queue.events.named("store_missing")).toHaveLength(1);
    await ingester.stop();
    expect(await storedIds(queue)).toEqual([ulid]);
  });

  it("I8: a store that can not be opened is waited for until it is mended; captures go on", async () => {
    const { queue, ingester } = bench();
    mkdirSync(queue.storeFile, { recursive: true });
    await queue.append("a");
    ingester.start();
    await until(() => expect(queue.events.named("ingest_delayed").length).toBeGreaterThan(1));
    await queue.append("b");
    expect(queue.pending()).toHaveLength(2);
    rmSync(queue.storeFile, { recursive: true });
    await until(() => expect(queue.pending()).toEqual([]));
    expect(queue.events.named("store_unavailable")).toHaveLength(1);
    await until(() => expect(queue.events.named("store_recovered")).toHaveLength(1));
  });

  it("I8: a file that is no database stops no capture and is not overwritten", async () => {
    const { queue, ingester } = bench();
    mkdirSync(dirname(queue.storeFile), { recursive: true });
    writeFileSync(queue.storeFile, "somebody's notes, longer than a header of SQLite".repeat(99));
    await queue.append("a");
    await expect(ingester.drain(DRAIN)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(queue.pending()).toHaveLength(1);
    chmodSync(queue.storeFile, 0o600);
    expect(existsSync(queue.storeFile)).toBe(true);
  });
});
