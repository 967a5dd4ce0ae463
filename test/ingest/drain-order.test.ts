import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeMembers } from "../../src/queue/archive-member.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import type { CommitItem, MemoryStore } from "../../src/store/memory-store.ts";
import { FakeStore, storeAway } from "../support/fake-store.ts";
import { type Fault, faultyFsSync } from "../support/faulty-fs.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";

const DRAIN = { dueOrNot: false };

describe("one drain", () => {
  it("I1: brings records oldest first into the store, one transaction a batch", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(7);
    const outcome = await bench.ingester({ batchRecordsMax: 3 }).drain(DRAIN);
    expect(outcome).toEqual({ ingested: 7, quarantined: 0, skipped: 0 });
    expect(bench.store.tried).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
    expect(bench.pending()).toEqual([]);
    expect(bench.events.named("capture_ingested").map(({ count }) => count)).toEqual([3, 3, 1]);
  });

  it("I1: commit, archive fsync, high-water id and only then the unlinks, batch by batch", async () => {
    const bench = new IngestBench();
    await bench.appendMany(4);
    const steps: string[] = [];
    const faulty = faultyFsSync();
    const fs = { ...faulty.fs };
    bench.store.before = (items) => {
      expect(items.every(({ ulid }) => existsSync(pendingPath(bench.layout, ulid)))).toBe(true);
      steps.push("commit");
    };
    fs.unlink = (path) => {
      if (/pending-.*\.json$/.test(path)) steps.push("unlink");
      faulty.fs.unlink(path);
    };
    fs.replace = (path, ...rest) => {
      if (path === bench.layout.highWaterFile) steps.push("high-water");
      faulty.fs.replace(path, ...rest);
    };
    fs.write = (...args) => {
      steps.push("archive");
      return faulty.fs.write(...args);
    };
    fs.fsync = (fd) => {
      if (steps.at(-1) === "archive") steps.push("fsync");
      faulty.fs.fsync(fd);
    };
    await bench.ingester({ fs, batchRecordsMax: 2 }).drain(DRAIN);
    const batch = ["commit", "archive", "fsync", "high-water", "unlink", "unlink"];
    expect(steps).toEqual([...batch, ...batch]);
  });

  it("I1: a commit that fails leaves all files, marks none, and archives nothing", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(3);
    bench.store.before = () => {
      throw storeAway();
    };
    await expect(bench.ingester().drain(DRAIN)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    expect(bench.pending()).toEqual(ids);
    expect(ids.some((ulid) => bench.marked(ulid))).toBe(false);
    expect(readdirSync(bench.layout.doneDir)).toEqual([]);
  });

  it.each<[string, Fault]>([
    ["opening the archive", { method: "openAppend", errno: "EROFS" }],
    ["the archive directory's fsync", { method: "fsync", errno: "EIO", nth: 1 }],
    ["writing the archive", { method: "write", errno: "ENOSPC" }],
    ["the archive's fsync", { method: "fsync", errno: "EIO", nth: 2 }],
    ["the high-water id", { method: "replace", errno: "ENOSPC", pathEnds: "high-water" }],
    ["the second unlink", { method: "unlink", errno: "EIO", nth: 2 }],
  ])(
    "I1: when %s fails after the commit, the next drain ends with one row each",
    async (_, fault) => {
      const bench = new IngestBench();
      const ids = await bench.appendMany(5);
      const faulty = faultyFsSync();
      const store = await bench.openSqlite();
      let commits = 0;
      const failing = {
        close: async () => {},
        commitBatch: async (items: readonly CommitItem[]) => {
          const result = await store.commitBatch(items);
          faulty.fail(commits++ === 0 ? fault : undefined);
          return result;
        },
      } as MemoryStore;
      const ingester = bench.ingester({ fs: faulty.fs, openStore: async () => failing });
      await expect(ingester.drain(DRAIN)).rejects.toMatchObject({ code: fault.errno });
      // A name that can not be removed keeps none of the others.
      const left = fault.method === "unlink" ? ids.slice(1, 2) : ids;
      expect(bench.pending()).toEqual(left);
      expect(await ingester.drain(DRAIN)).toMatchObject({ ingested: left.length });
      expect(bench.pending()).toEqual([]);
      expect((await store.stats()).records).toBe(ids.length);
      await store.close();
    },
  );

  it("I1: a record that arrives during a batch is drained by the same drain", async () => {
    const bench = new IngestBench();
    await bench.append("first");
    let late: string[] = [];
    bench.store.before = async () => {
      if (late.length === 0) late = await bench.append("late");
    };
    expect(await bench.ingester().drain(DRAIN)).toMatchObject({ ingested: 2 });
    expect(bench.store.rows.has(late[0] as string)).toBe(true);
  });

  it("I3: two ingesters that take turns on one directory end with each record exactly once", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(60);
    const pair = [1, 2].map(() =>
      bench.ingester({ batchRecordsMax: 7, openStore: () => bench.openSqlite() }),
    );
    const outcomes = await Promise.all(pair.map((ingester) => ingester.drain(DRAIN)));
    expect(bench.pending()).toEqual([]);
    const ingested = bench.events.named("capture_ingested");
    expect(ingested.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(ids.length);
    expect(outcomes.every(({ quarantined }) => quarantined === 0)).toBe(true);
    const store = await bench.openSqlite();
    expect((await store.stats()).records).toBe(ids.length);
    await store.close();
  });

  it("I6: every drained batch is one member of the done archive, byte for byte", async () => {
    const clock = new ManualClock(Date.UTC(2026, 2, 1, 23, 59, 59));
    const bench = new IngestBench(clock);
    const ids = await bench.append("a", "b\nc", "\u0000\ud800", "d", "e");
    const files = ids.map((ulid) => bench.bytesOf(ulid).toString("latin1"));
    const ingester = bench.ingester({ batchRecordsMax: 2 });
    await ingester.drain(DRAIN);
    clock.advance(1_000);
    const [next] = await bench.append("next day");
    const nextFile = bench.bytesOf(next as string).toString("latin1");
    await ingester.drain(DRAIN);
    const names = readdirSync(bench.layout.doneDir).sort();
    expect(names.map((name) => name.slice(0, 12))).toEqual(["20260301-23-", "20260302-00-"]);
    const members = names.map((name) => {
      const skipped: object[] = [];
      const file = readFileSync(join(bench.layout.doneDir, name));
      const found = [...decodeMembers(file, (stretch) => skipped.push(stretch))];
      expect(skipped).toEqual([]);
      return found.map(({ lines }) => lines.map((line) => line.toString("latin1")));
    });
    expect(members).toEqual([[files.slice(0, 2), files.slice(2, 4), files.slice(4)], [[nextFile]]]);
  });

  it("I1: refuses to run beside itself", async () => {
    const bench = new IngestBench();
    await bench.append("a");
    const ingester = bench.ingester();
    const running = ingester.drain(DRAIN);
    await expect(ingester.drain(DRAIN)).rejects.toThrow(TypeError);
    await running;
  });

  it("I7: a drain of a stopped ingester does nothing", async () => {
    const bench = new IngestBench();
    await bench.append("a");
    const ingester = bench.ingester();
    await ingester.stop();
    expect(await ingester.drain(DRAIN)).toEqual({ ingested: 0, quarantined: 0, skipped: 0 });
    expect(bench.pending()).toHaveLength(1);
  });

  it("I1: the rig notices an unlink before the commit", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(2);
    const store = new FakeStore();
    store.before = () => {
      throw storeAway();
    };
    const hasty = bench.ingester({
      openStore: async () => {
        // What a drain would do that settles first.
        await bench.queue.ingestPending(() => {});
        return store.asStore();
      },
    });
    await expect(hasty.drain(DRAIN)).rejects.toThrow();
    expect(bench.pending()).not.toEqual(ids);
    expect(store.rows.size).toBe(0);
  });
});
