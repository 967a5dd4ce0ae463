import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  BATCH_READ_BYTES_MAX,
  BATCH_READ_MS_MAX,
  type Batch,
  type BatchParts,
  readBatch,
} from "../../src/ingest/batch.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { Claims } from "../../src/queue/claim.ts";
import { markPath } from "../../src/queue/layout.ts";
import { listPendingSync } from "../../src/queue/pending-list.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";

function partsOf(bench: IngestBench, changes: Partial<BatchParts> = {}): BatchParts {
  const fs = changes.fs ?? nodeDurableFsSync;
  return {
    fs,
    layout: bench.layout,
    clock: bench.clock,
    events: bench.events,
    attemptsMax: 3,
    batchRecords: () => 500,
    claims: new Claims(fs, bench.layout, bench.clock),
    unknownVersions: new Set(),
    leftAlone: new Set(),
    ...changes,
  };
}

/** All batches of one listing. */
function readAll(parts: BatchParts): Batch[] {
  const listing = listPendingSync(nodeDurableFsSync, parts.layout);
  const batches: Batch[] = [];
  for (let next = 0; next < listing.ulids.length; ) {
    const batch = readBatch(parts, listing, next, false);
    expect(batch.next).toBeGreaterThan(next);
    next = batch.next;
    batches.push(batch);
  }
  return batches;
}

const idsOf = (batches: readonly Batch[]) =>
  batches.map(({ records }) => records.map(({ envelope }) => envelope.ulid));

describe("readBatch", () => {
  it("I1: takes records oldest first, up to the count", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(7);
    const batches = idsOf(readAll(partsOf(bench, { batchRecords: () => 3 })));
    expect(batches).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
  });

  it("I1: holds no more than its bytes, and each record once", async () => {
    const bench = new IngestBench();
    const ids = await bench.append(...new Array(11).fill("x".repeat(1_000_000)));
    const batches = readAll(partsOf(bench));
    for (const { records } of batches) {
      const bytes = records.reduce((sum, { envelope }) => sum + envelope.bytes.length, 0);
      expect(bytes).toBeLessThanOrEqual(BATCH_READ_BYTES_MAX);
    }
    expect(idsOf(batches)).toEqual([ids.slice(0, 8), ids.slice(8)]);
  });

  it("I1: takes a record that fills half of the bytes by itself rather than never", async () => {
    const bench = new IngestBench();
    // Six bytes each in JSON.
    const ids = await bench.append(...new Array(3).fill("\u0000".repeat(1_000_000)));
    expect(idsOf(readAll(partsOf(bench)))).toEqual(ids.map((id) => [id]));
  });

  it("I1: a marked record that does not fit any more is free for the next batch", async () => {
    const bench = new IngestBench(new ManualClock(Date.now()));
    const ids = await bench.append(...new Array(9).fill("x".repeat(1_000_000)));
    const last = ids.at(-1) as string;
    writeFileSync(markPath(bench.layout, last), "");
    (bench.clock as ManualClock).advance(60_000);
    const batches = readAll(partsOf(bench));
    expect(idsOf(batches)).toEqual([ids.slice(0, 8), [last]]);
    expect(batches[1]?.records[0]?.claim?.ulid).toBe(last);
  });

  it("I1: ends when its time is over, with what it has", async () => {
    const clock = new ManualClock();
    const bench = new IngestBench(clock);
    await bench.appendMany(7);
    const slow: DurableFsSync = {
      ...nodeDurableFsSync,
      openRead: (path) => {
        clock.advance(BATCH_READ_MS_MAX / 2);
        return nodeDurableFsSync.openRead(path);
      },
    };
    const sizes = idsOf(readAll(partsOf(bench, { fs: slow }))).map(({ length }) => length);
    expect(sizes).toEqual([3, 3, 1]);
  });

  it("I1: passes over a record that was settled since the listing", async () => {
    const bench = new IngestBench();
    const [first, second] = await bench.append("a", "b");
    const listing = listPendingSync(nodeDurableFsSync, bench.layout);
    await bench.queue
      .ingestPending((record) => {
        if (record.surface !== "a") throw new Error("not this one");
      })
      .catch(() => {});
    expect(bench.pending()).toEqual([second]);
    const { records, skipped } = readBatch(partsOf(bench), listing, 0, false);
    expect(first).toBe(listing.ulids[0]);
    expect([records.map(({ envelope }) => envelope.ulid), skipped]).toEqual([[second], 0]);
  });

  it("I1: makes no mark for a sound record", async () => {
    const bench = new IngestBench();
    const [ulid] = await bench.append("a");
    readAll(partsOf(bench));
    expect(bench.marked(ulid as string)).toBe(false);
  });

  it("Q8: skips a record that another process holds, until its mark is stale", async () => {
    const clock = new ManualClock(Date.now());
    const bench = new IngestBench(clock);
    const [held, free] = (await bench.append("held", "free")) as [string, string];
    mkdirSync(markPath(bench.layout, held));
    expect(idsOf(readAll(partsOf(bench)))).toEqual([[free]]);
    const staleS = (clock.nowMs() - 11_000) / 1_000;
    utimesSync(markPath(bench.layout, held), staleS, staleS);
    expect(idsOf(readAll(partsOf(bench)))).toEqual([[held, free]]);
  });

  it.each(["EIO", "EMFILE", "EACCES"])(
    "Q9: a record that can not be read for %s stays as it is, stops nobody, and is told once",
    async (errno) => {
      const bench = new IngestBench();
      const [bad, good] = (await bench.append("bad", "good")) as [string, string];
      const faulty = faultyFsSync();
      const parts = partsOf(bench, { fs: faulty.fs });
      faulty.fail({ method: "openRead", errno, pathEnds: `${bad}.json` });
      for (let pass = 0; pass < 3; pass++) expect(idsOf(readAll(parts))).toEqual([[good]]);
      expect(bench.events.named("envelope_read_failed")).toEqual([{ ulid: bad, errno }]);
      expect(bench.marked(bad)).toBe(false);
      faulty.fail(undefined);
      expect(idsOf(readAll(parts))).toEqual([[bad, good]]);
    },
  );

  it("Q9: a full disk that has no room for the mark of a bad record stops nobody", async () => {
    const bench = new IngestBench();
    const [bad, good] = (await bench.append("bad", "good")) as [string, string];
    bench.spoil(bad);
    const faulty = faultyFsSync();
    faulty.fail({ method: "openExclusive", errno: "ENOSPC", pathEnds: `${bad}.lock` });
    const parts = partsOf(bench, { fs: faulty.fs });
    expect(idsOf(readAll(parts))).toEqual([[good]]);
    faulty.fail(undefined);
    expect(readAll(parts)[0]?.spent).toBe(1);
  });

  it("Q9: a quarantine that fails leaves the record for the next pass", async () => {
    const clock = new ManualClock(Date.now());
    const bench = new IngestBench(clock);
    const [bad, good] = (await bench.append("bad", "good")) as [string, string];
    bench.spoil(bad);
    const faulty = faultyFsSync();
    const parts = partsOf(bench, { fs: faulty.fs, attemptsMax: 1 });
    faulty.fail({ method: "link", errno: "EIO" });
    expect(idsOf(readAll(parts))).toEqual([[good]]);
    expect(bench.pending()).toEqual([bad, good]);
    faulty.fail(undefined);
    expect(readAll(parts)[0]?.quarantined).toBe(1);
    expect(bench.pending()).toEqual([good]);
  });
});
