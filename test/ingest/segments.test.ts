import {
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BATCH_READ_BYTES_MAX } from "../../src/ingest/batch.ts";
import { decodeMembers } from "../../src/queue/archive-member.ts";
import { newSegmentName, segmentPath } from "../../src/queue/spill-segment.ts";
import type { CommitItem, MemoryStore } from "../../src/store/memory-store.ts";
import { storeAway } from "../support/fake-store.ts";
import { type Fault, faultyFsSync } from "../support/faulty-fs.ts";
import { IngestBench, until } from "../support/ingest-bench.ts";
import { addSegment, copyToSegment, overflowNames, spill } from "../support/spilled-segments.ts";

const DRAIN = { dueOrNot: false };
const POLL_MS = 20;

/** Ids in the done archive, in the order they were written. */
function archivedIds(bench: IngestBench): string[] {
  return readdirSync(bench.layout.doneDir).flatMap((name) => {
    const file = readFileSync(join(bench.layout.doneDir, name));
    const members = [...decodeMembers(file, () => expect.unreachable())];
    return members.flatMap(({ lines }) => lines.map((line) => JSON.parse(line.toString()).ulid));
  });
}

describe("spilled records", () => {
  it("Q11: are drained before pending ones, oldest segment first, archived, and then the segment goes", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(9);
    spill(bench.layout, ids.slice(3, 5));
    spill(bench.layout, ids.slice(0, 3));
    const seen: string[][] = [];
    bench.store.before = () => void seen.push(overflowNames(bench.layout));
    const outcome = await bench.ingester().drain(DRAIN);
    expect(outcome).toEqual({ ingested: 9, quarantined: 0, skipped: 0 });
    expect(bench.store.tried).toEqual([ids.slice(0, 3), ids.slice(3, 5), ids.slice(5)]);
    expect(seen.map(({ length }) => length)).toEqual([2, 1, 0]);
    expect([bench.pending(), overflowNames(bench.layout)]).toEqual([[], []]);
    expect(archivedIds(bench)).toEqual(ids);
    expect(bench.events.named("capture_ingested").map(({ count }) => count)).toEqual([3, 2, 4]);
    expect(readFileSync(bench.layout.highWaterFile, "utf8")).toBe(ids.at(-1));
  });

  it("I1: are committed within the bounds of a batch, and the segment goes after the last one", async () => {
    const bench = new IngestBench();
    const many = await bench.appendMany(7);
    spill(bench.layout, many);
    await bench.ingester({ batchRecordsMax: 3 }).drain(DRAIN);
    expect(bench.store.tried).toEqual([many.slice(0, 3), many.slice(3, 6), many.slice(6)]);
    const large = await bench.append(...new Array(11).fill("x".repeat(1_000_000)));
    spill(bench.layout, large);
    const bytes: number[] = [];
    bench.store.before = (items) => {
      bytes.push(items.reduce((sum, { recordJson }) => sum + recordJson.length, 0));
      expect(overflowNames(bench.layout)).toHaveLength(1);
    };
    expect(await bench.ingester().drain(DRAIN)).toMatchObject({ ingested: 11 });
    expect(bytes.map((size) => size <= BATCH_READ_BYTES_MAX)).toEqual([true, true]);
    expect(overflowNames(bench.layout)).toEqual([]);
  });

  it("I1: commit, archive, ledger and high-water id come before the segment's unlink", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(2);
    const name = spill(bench.layout, ids);
    const steps: string[] = [];
    const { fs } = faultyFsSync();
    bench.store.before = () => void steps.push("commit");
    const noting = {
      ...fs,
      write: (...args: Parameters<typeof fs.write>) => {
        steps.push("archive");
        return fs.write(...args);
      },
      facts: (path: string) => {
        if (path.includes(".ledger-") && steps.at(-1) !== "ledger") steps.push("ledger");
        return fs.facts(path);
      },
      replace: (...args: Parameters<typeof fs.replace>) => {
        if (args[0] === bench.layout.highWaterFile) steps.push("high-water");
        fs.replace(...args);
      },
      unlink: (path: string) => {
        if (path === segmentPath(bench.layout, name)) steps.push("unlink");
        fs.unlink(path);
      },
    };
    await bench.ingester({ fs: noting }).drain(DRAIN);
    expect(steps).toEqual(["commit", "archive", "ledger", "high-water", "unlink"]);
  });

  it.each<[string, Fault]>([
    ["the archive's write", { method: "write", errno: "ENOSPC" }],
    ["the high-water id", { method: "replace", errno: "ENOSPC", pathEnds: "high-water" }],
    ["the ledger's look", { method: "facts", errno: "EIO", pathEnds: "ledger" }],
  ])(
    "I1: when %s fails the segment stays, and the next drain ends with one row each",
    async (_, fault) => {
      const bench = new IngestBench();
      const ids = await bench.appendMany(3);
      const [name] = [spill(bench.layout, ids)];
      const faulty = faultyFsSync();
      const { fs } = faulty;
      const byHour = {
        ...fs,
        // Every ledger is named for its hour.
        facts: (path: string) => fs.facts(path.includes(".ledger-") ? "ledger" : path),
      };
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
      const ingester = bench.ingester({ fs: byHour, openStore: async () => failing });
      await expect(ingester.drain(DRAIN)).rejects.toMatchObject({ code: fault.errno });
      expect(overflowNames(bench.layout)).toEqual([name]);
      expect(await ingester.drain(DRAIN)).toMatchObject({ ingested: 3 });
      expect([overflowNames(bench.layout), (await store.stats()).records]).toEqual([[], 3]);
      await store.close();
    },
  );

  it("I8: a store that is away leaves the segment; later batches of it are not done twice", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(4);
    const name = spill(bench.layout, ids);
    const ingester = bench.ingester({ batchRecordsMax: 2 });
    bench.store.before = () => {
      if (bench.store.tried.length === 2) throw storeAway();
    };
    await expect(ingester.drain(DRAIN)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(overflowNames(bench.layout)).toEqual([name]);
    expect(await ingester.drain(DRAIN)).toMatchObject({ ingested: 2 });
    expect(bench.store.tried).toEqual([ids.slice(0, 2), ids.slice(2), ids.slice(2)]);
    expect([overflowNames(bench.layout), archivedIds(bench)]).toEqual([[], ids]);
  });

  it("I3: what was done of a segment is forgotten with it, should it come back", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(4);
    const name = spill(bench.layout, ids);
    const path = segmentPath(bench.layout, name);
    const bytes = readFileSync(path);
    const ingester = bench.ingester({ batchRecordsMax: 2 });
    bench.store.before = () => {
      if (bench.store.tried.length === 2) throw storeAway();
    };
    await expect(ingester.drain(DRAIN)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    unlinkSync(path);
    await ingester.drain(DRAIN);
    writeFileSync(path, bytes);
    expect(await ingester.drain(DRAIN)).toMatchObject({ ingested: 4 });
    expect(overflowNames(bench.layout)).toEqual([]);
  });

  it("I3: a record that is pending and in a segment at once ends as one row", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(3);
    copyToSegment(bench.layout, ids.slice(0, 2));
    const ingester = bench.ingester({ openStore: () => bench.openSqlite() });
    expect(await ingester.drain(DRAIN)).toEqual({ ingested: 5, quarantined: 0, skipped: 0 });
    expect([bench.pending(), overflowNames(bench.layout)]).toEqual([[], []]);
    const store = await bench.openSqlite();
    expect((await store.stats()).records).toBe(3);
    await store.close();
  });

  it("I3: a segment that another ingester removed before the reading or before the unlink is fine", async () => {
    const bench = new IngestBench();
    const [first, second] = (await bench.append("a", "b")) as [string, string];
    const name = spill(bench.layout, [first]);
    const gone = spill(bench.layout, [second]);
    bench.store.before = () => {
      for (const each of [name, gone]) unlinkSync(segmentPath(bench.layout, each));
    };
    expect(await bench.ingester().drain(DRAIN)).toEqual({
      ingested: 1,
      quarantined: 0,
      skipped: 0,
    });
    expect(bench.events.named("envelope_read_failed")).toEqual([]);
  });

  it("I7: a stop ends it behind the batch in hand; the segment stays and is finished later", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(4);
    const name = spill(bench.layout, ids);
    const later = spill(bench.layout, await bench.appendMany(1));
    const ingester = bench.ingester({ batchRecordsMax: 2 });
    bench.store.before = () => void ingester.stop();
    expect(await ingester.drain(DRAIN)).toMatchObject({ ingested: 2 });
    expect(overflowNames(bench.layout)).toEqual([name, later]);
    bench.store.before = () => {};
    expect(await bench.ingester().drain(DRAIN)).toMatchObject({ ingested: 5 });
    expect(bench.store.rows.size).toBe(5);
  });

  it.each([
    ["EIO", "openRead"],
    ["EMFILE", "openRead"],
    ["EACCES", "openRead"],
    ["EIO", "readAt"],
  ])(
    "Q9: a segment that can not be read for %s (%s) stays as it is, stops nobody, and is told once",
    async (errno, method) => {
      const bench = new IngestBench();
      const ids = await bench.appendMany(4);
      const name = spill(bench.layout, ids.slice(0, 2));
      const { fs, fail } = faultyFsSync();
      const segmentOnly = {
        ...fs,
        openRead: (path: string) => {
          fail(path.endsWith(".gz") ? { method, errno } : undefined);
          return fs.openRead(path);
        },
      };
      const ingester = bench.ingester({ fs: segmentOnly });
      expect(await ingester.drain(DRAIN)).toEqual({ ingested: 2, quarantined: 0, skipped: 2 });
      expect(await ingester.drain(DRAIN)).toMatchObject({ ingested: 0, skipped: 2 });
      expect(overflowNames(bench.layout)).toEqual([name]);
      expect(bench.events.named("envelope_read_failed")).toEqual([{ ulid: ids[0], errno }]);
      expect(await bench.ingester().drain(DRAIN)).toMatchObject({ ingested: 2 });
      expect([...bench.store.rows.keys()]).toEqual([...ids.slice(2), ...ids.slice(0, 2)]);
    },
  );

  it("X1: foreign names, and a directory or a symlink of a segment's name, are left where they are", async () => {
    const bench = new IngestBench();
    const [first, last] = (await bench.append("a", "b")) as [string, string];
    const { overflowDir } = bench.layout;
    writeFileSync(join(overflowDir, "notes.txt"), "foreign");
    const directory = newSegmentName(first, last, 2);
    mkdirSync(join(overflowDir, directory));
    const symlink = newSegmentName(last, last, 1);
    symlinkSync("/etc/hostname", join(overflowDir, symlink));
    const ingester = bench.ingester();
    for (const ingested of [2, 0]) {
      expect(await ingester.drain(DRAIN)).toMatchObject({ ingested, quarantined: 0, skipped: 3 });
    }
    expect(overflowNames(bench.layout)).toEqual(["notes.txt", directory, symlink].sort());
    expect(bench.events.named("envelope_read_failed")).toEqual([
      { ulid: first, errno: "EISDIR" },
      { ulid: last, errno: "ELOOP" },
    ]);
  });

  it("I8: an overflow directory that can not be listed is told with its errno", async () => {
    const bench = new IngestBench();
    await bench.append("a");
    const { fs, fail } = faultyFsSync();
    fail({ method: "names", errno: "EACCES", pathEnds: "overflow" });
    await expect(bench.ingester({ fs }).drain(DRAIN)).rejects.toMatchObject({ code: "EACCES" });
  });
});

describe("what makes the ingester drain segments", () => {
  it("I4: its start, the poll, and a flush", async () => {
    const bench = new IngestBench();
    const elsewhere = new IngestBench();
    const ids = (await elsewhere.appendMany(3)) as [string, string, string];
    await bench.queue.append({ surface: "makes the directories" });
    const comes = (ulid: string) =>
      addSegment(bench.layout, [{ ulid, bytes: elsewhere.bytesOf(ulid) }]);
    const drained = (ulid: string) =>
      until(() => {
        expect(bench.store.rows.has(ulid)).toBe(true);
        expect(bench.reports.at(-1)?.state).toBe("idle");
      });
    comes(ids[0]);
    const polling = bench.ingester({ pollMs: POLL_MS });
    polling.start();
    await drained(ids[0]);
    comes(ids[1]);
    await drained(ids[1]);
    await polling.stop();
    const waiting = bench.ingester();
    comes(ids[2]);
    waiting.flush();
    await drained(ids[2]);
    expect(overflowNames(bench.layout)).toEqual([]);
  });
});
