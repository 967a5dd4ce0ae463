import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { Ingester } from "../../src/ingest/ingester.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { newSegmentName } from "../../src/queue/spill-segment.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { openRaw } from "../store/open-sqlite.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";

/** Drains as a server does, into the store of this file in the bench's directory. */
async function drain(
  bench: MemoryBench,
  change: (store: MemoryStore) => MemoryStore = (store) => store,
) {
  const file = join(bench.home, "store", "memspool.db");
  const ingester = new Ingester({
    fs: nodeDurableFsSync,
    layout: bench.layout,
    clock: bench.clock,
    events: bench.events,
    attemptsMax: 3,
    batchRecordsMax: 500,
    pollMs: 1_000_000,
    random: () => 0,
    openStore: async () => change(await openStore({ file })),
    onReport: () => {},
  });
  try {
    return await ingester.drain({ dueOrNot: true });
  } finally {
    await ingester.stop();
  }
}

/** A store that does not take a text that says so. */
function refusing(store: MemoryStore): MemoryStore {
  const commitBatch = store.commitBatch.bind(store);
  return Object.assign(store, {
    commitBatch: async (items: Parameters<MemoryStore["commitBatch"]>[0]) => {
      if (items.some(({ record }) => record.surface.includes("refused"))) {
        throw new MemspoolError("STORE_REFUSED", "The store refused it.");
      }
      return commitBatch(items);
    },
  });
}

const inQuarantine = ({ layout }: MemoryBench) =>
  readdirSync(layout.quarantineDir).filter((name) => !name.includes("reason"));

describe("retry", () => {
  it("T10: a record whose cause has gone is ingested, one whose cause is there comes back", async () => {
    const bench = await MemoryBench.open();
    const { memory } = bench;
    const [ulid = "", good = ""] = await bench.capture("a refused heron", "a crane");
    await drain(bench, refusing);
    expect([await memory.receipt(ulid), await memory.receipt(good)]).toMatchObject([
      { state: "quarantined", reason: { code: "STORE_REFUSED" } },
      { state: "ingested" },
    ]);
    let asked = 0;
    bench.onAskToDrain = () => asked++;
    const back = { returned: 1, outcomes: [{ ulid, state: "pending" }], remaining: 0 };
    expect(await memory.retry({ ulid })).toEqual(back);
    expect(asked).toBe(1);
    expect((await memory.receipt(ulid)).state).toBe("pending");
    // Three attempts anew: it is not set aside at the first.
    await drain(bench, refusing);
    expect(await memory.receipt(ulid)).toMatchObject({ state: "quarantined" });
    expect(bench.events.named("capture_quarantined").map(({ attempts }) => attempts)).toEqual([
      3, 3,
    ]);
    expect(await memory.retry({})).toEqual(back);
    expect(await drain(bench)).toMatchObject({ ingested: 1, quarantined: 0 });
    expect((await memory.receipt(ulid)).state).toBe("ingested");
    expect((await memory.get({ ulid })).record.surface).toBe("a refused heron");
    expect(inQuarantine(bench)).toEqual([]);
    expect(bench.events.named("quarantine_returned")).toEqual([{ ulid }, { ulid }]);
  });

  it("T10: a conflict comes back until it is solved", async () => {
    const bench = await MemoryBench.open();
    const { memory } = bench;
    const [, ulid = ""] = await bench.capture(
      { surface: "a heron", idempotency_key: "k" },
      { surface: "another heron", idempotency_key: "k" },
    );
    await drain(bench);
    for (let round = 0; round < 2; round++) {
      expect(await memory.receipt(ulid), `${round}`).toMatchObject({
        state: "quarantined",
        reason: { code: "IDEMPOTENCY_CONFLICT" },
      });
      expect(await memory.retry({ ulid: ulid.toLowerCase() })).toMatchObject({ returned: 1 });
      expect(await drain(bench)).toMatchObject({ ingested: 0, quarantined: 1 });
      expect(inQuarantine(bench)).toEqual([`pending-${ulid}.json`]);
    }
    // Somebody takes the key from the record that has it.
    const raw = openRaw(join(bench.home, "store", "memspool.db"));
    raw.exec("UPDATE records SET idempotency_key = NULL");
    await memory.retry({});
    await drain(bench);
    expect((await memory.receipt(ulid)).state).toBe("ingested");
  });

  it("T10: what is damaged stays, is told of, and keeps no other from going", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture("one", "two", "three");
    for (const ulid of ulids) bench.setAside(ulid);
    const [first = "", bad = "", last = ""] = ulids;
    writeFileSync(join(bench.layout.quarantineDir, `pending-${bad}.json`), "{");
    expect(await bench.memory.retry({})).toEqual({
      returned: 2,
      outcomes: [
        { ulid: first, state: "pending" },
        {
          ulid: bad,
          state: "quarantined",
          error: { code: "ENVELOPE_NOT_JSON", message: expect.stringContaining("not a JSON") },
        },
        { ulid: last, state: "pending" },
      ],
      remaining: 0,
    });
    expect(inQuarantine(bench)).toEqual([`pending-${bad}.json`]);
  });

  it("T10: a damaged segment can not be tried again, and stands behind what can", async () => {
    const bench = await MemoryBench.open();
    const [ulid = "", other = ""] = await bench.capture("one", "two");
    bench.setAside(other);
    const name = newSegmentName(ulid, ulid, 3);
    writeFileSync(join(bench.layout.quarantineDir, name), "rubbish");
    const stays = {
      ulid,
      state: "quarantined",
      error: { code: "ENVELOPE_UNREADABLE", message: expect.stringContaining(name) },
    };
    expect(await bench.memory.retry({})).toEqual({
      returned: 1,
      outcomes: [{ ulid: other, state: "pending" }, stays],
      remaining: 0,
    });
    expect(await bench.memory.retry({ ulid })).toMatchObject({ returned: 0, outcomes: [stays] });
    expect(readFileSync(join(bench.layout.quarantineDir, name), "utf8")).toBe("rubbish");
  });

  it("T10: takes at most as many as asked for, oldest first, and says what remains", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture("a", "b", "c", "d", "e");
    for (const ulid of ulids) bench.setAside(ulid);
    const { memory } = bench;
    const progress: number[][] = [];
    const two = await memory.retry({
      limit: 2,
      onProgress: ({ done, total }) => progress.push([done, total]),
    });
    expect(two).toMatchObject({ returned: 2, remaining: 3 });
    expect(two.outcomes.map(({ ulid }) => ulid)).toEqual(ulids.slice(0, 2));
    expect(progress).toEqual([
      [1, 2],
      [2, 2],
    ]);
    const controller = new AbortController();
    const cut = await memory.retry({
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(cut).toMatchObject({ returned: 1, remaining: 2 });
    expect(await memory.retry({})).toMatchObject({ returned: 2, remaining: 0 });
    expect(await bench.queue.pendingCount()).toBe(5);
  });

  it("T10: a full queue takes none back", async () => {
    const bench = await MemoryBench.open({ maxRecords: 3 });
    const ulids = await bench.capture("a", "b", "c");
    for (const ulid of ulids.slice(0, 2)) bench.setAside(ulid);
    await bench.capture("d");
    const { returned, outcomes } = await bench.memory.retry({});
    expect(returned).toBe(1);
    expect(outcomes[1]).toMatchObject({ ulid: ulids[1], error: { code: "QUEUE_FULL" } });
    expect(await bench.queue.pendingCount()).toBe(3);
    expect(inQuarantine(bench)).toEqual([`pending-${ulids[1]}.json`]);
  });

  it("T10: the disk's failure is told of each record, and asks nobody to drain", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture("a", "b");
    for (const ulid of ulids) bench.setAside(ulid);
    bench.onAskToDrain = () => expect.unreachable("asked");
    bench.disk.fail({ method: "openExclusive", errno: "ENOSPC" });
    const { returned, outcomes } = await bench.memory.retry({});
    expect(returned).toBe(0);
    expect(outcomes).toMatchObject(
      ulids.map((ulid) => ({ ulid, state: "quarantined", error: { code: "DATA_DIR_UNUSABLE" } })),
    );
    expect(inQuarantine(bench)).toHaveLength(2);
  });

  it("T10: one that the disk may have taken before it failed has a place", async () => {
    const bench = await MemoryBench.open({ maxRecords: 3 });
    const ulids = await bench.capture("a", "b", "c");
    for (const ulid of ulids.slice(0, 2)) bench.setAside(ulid);
    await bench.capture("d");
    bench.disk.fail({ method: "openDirectory", errno: "EIO", pathEnds: "queue" });
    const { returned, outcomes } = await bench.memory.retry({});
    expect(returned).toBe(0);
    expect(outcomes).toMatchObject([
      { ulid: ulids[0], error: { code: "DATA_DIR_UNUSABLE" } },
      { ulid: ulids[1], error: { code: "QUEUE_FULL" } },
    ]);
    expect(await bench.queue.pendingCount()).toBe(3);
  });

  it("T10: refuses what is no id or no count, and what is not in quarantine", async () => {
    const bench = await MemoryBench.open();
    const { memory } = bench;
    expect(await memory.retry({})).toEqual({ returned: 0, outcomes: [], remaining: 0 });
    const [ulid = ""] = await bench.capture("a");
    mkdirSync(bench.layout.quarantineDir, { recursive: true });
    expect(await failureCode(memory.retry({ ulid }))).toBe("NOT_FOUND");
    expect(await failureCode(memory.retry({ ulid: "heron" }))).toBe("INVALID_ARGUMENT");
    expect(await failureCode(memory.retry({ limit: 0 }))).toBe("INVALID_ARGUMENT");
    expect((await memory.receipt(ulid)).state).toBe("pending");
  });
});
