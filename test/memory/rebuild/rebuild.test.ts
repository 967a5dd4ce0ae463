import { readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { silentEvents } from "../../../src/events/catalogue.ts";
import { pendingPath } from "../../../src/queue/layout.ts";
import { FIRST_AT_MS, HOSTILE_STRINGS, idOf, itemOf } from "../../contract/store-bench.ts";
import { openRaw, openSqlite } from "../../store/open-sqlite.ts";
import { plainTerms } from "../../support/bm25-order.ts";
import { envelopeOf, idsOf, pagesOf, RebuildScene, spoilPages } from "./rebuild-scene.ts";

const FILLING = "x".repeat(700);
const items = (count: number) =>
  Array.from({ length: count }, (_, n) =>
    itemOf(n, { surface: `needle ${n} ${FILLING}`, session_id: `s${n % 3}`, tags: ["t", `t${n}`] }),
  );
const ids = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => idOf(from + n));
const without = <T extends { turn?: unknown; ingested_at?: unknown }>(rows: readonly T[]) =>
  rows.map(({ turn: _turn, ingested_at: _at, ...row }) => row);

/** Searches through the whole store, as a reader does. */
async function found(scene: RebuildScene, term: string): Promise<string[]> {
  const store = await openSqlite(scene.file, { readOnly: true });
  const set = await store.candidates({ terms: plainTerms(term), filter: {}, countMax: 500 });
  await store.close();
  return set.candidates.map(({ ulid }) => ulid).sort();
}

describe("a sound store", () => {
  it("I6: comes out as it was: rows, times, turns, aliases, supersessions, tags", async () => {
    const scene = new RebuildScene();
    const aliased = itemOf(2, { surface: "said once", idempotency_key: "k", project: "p" });
    await scene.ingest([
      ...items(2),
      aliased,
      { ...aliased, ulid: idOf(3), appendedAt: new Date(FIRST_AT_MS).toISOString() },
      itemOf(4, { surface: "corrected", supersedes: [idOf(3), idOf(0)] }),
      ...Object.values(HOSTILE_STRINGS).map((text, n) =>
        itemOf(10 + n, { surface: text, source: text, session_id: "h", metadata: { text } }),
      ),
    ]);
    const before = scene.dump();
    const result = await scene.rebuild();
    // A record that corrected an alias may name it still, beside the record it stands for.
    const supersessions = expect.arrayContaining([...before.supersessions]);
    expect(scene.dump()).toEqual({ ...before, supersessions });
    expect(before.supersessions).toHaveLength(2);
    expect(before.aliases).toHaveLength(1);
    expect(result).toMatchObject({
      swapped: true,
      records: before.records.length,
      aliases: 1,
      sources: { old_store: { records: before.records.length }, archive: { records: 0 } },
      old_store: { state: "whole", ids_known: "all", unproved_rows: 0 },
      missing: { count: 0 },
      unaccounted: null,
    });
    expect(scene.events.named("store_rebuilt")).toEqual([
      { records: before.records.length, missing: 0, swapped: true, ms: result.ms },
    ]);
    expect(await found(scene, "needle")).toEqual(ids(0, 2));
  });

  it("I6: is kept beside the new one, whole, under the name that is told", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(30));
    const before = scene.dump();
    const { kept } = await scene.rebuild();
    expect(scene.storeNames().filter((name) => !/-wal$|-shm$/.test(name))).toEqual(
      ["memspool.db", kept].sort(),
    );
    expect(scene.dump(join(scene.home, "store", kept as string))).toEqual(before);
  });

  it("I6: stays the store after a dry run, which leaves nothing behind", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(30));
    const before = scene.storeNames();
    const { ino } = scene.fs.facts(scene.file);
    const result = await scene.rebuild({ dryRun: true });
    expect(result).toMatchObject({ swapped: false, records: 30, kept: null });
    expect(scene.fs.facts(scene.file).ino).toBe(ino);
    expect(scene.storeNames().filter((name) => !/-wal$|-shm$/.test(name))).toEqual(
      before.filter((name) => !/-wal$|-shm$/.test(name)),
    );
  });

  it("I6: takes in what lies in queue and overflow, and leaves it there", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(5));
    const segment = scene.spill([itemOf(20), itemOf(21)]);
    scene.append(itemOf(30));
    writeFileSync(pendingPath(scene.layout, idOf(31)), "{torn");
    const result = await scene.rebuild();
    expect(result.sources).toMatchObject({ spilled: { records: 2 }, pending: { records: 1 } });
    expect(result.unread_envelopes).toBe(1);
    expect(idsOf(scene.dump())).toEqual([...ids(0, 5), idOf(20), idOf(21), idOf(30)]);
    expect(readFileSync(segment).length).toBeGreaterThan(0);
    expect(readFileSync(pendingPath(scene.layout, idOf(30)))).toEqual(envelopeOf(itemOf(30)));
  });
});

describe("a damaged store", () => {
  it("I6: rows that were deleted come back from the archive", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(40));
    const before = scene.dump();
    const db = openRaw(scene.file);
    db.exec(
      `PRAGMA foreign_keys = OFF; DELETE FROM records WHERE ulid IN ('${idOf(3)}', '${idOf(17)}', '${idOf(39)}')`,
    );
    db.close();
    const result = await scene.rebuild();
    expect(result.sources).toMatchObject({ old_store: { records: 37 }, archive: { records: 3 } });
    expect(without(scene.dump().records)).toEqual(without(before.records));
    expect(await found(scene, "needle")).toEqual(ids(0, 40));
  });

  it("I6: rows that were deleted and are archived nowhere are missed by count, and not given up", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(40), { archived: false });
    const db = openRaw(scene.file);
    db.exec(`PRAGMA foreign_keys = OFF; DELETE FROM records WHERE ulid = '${idOf(3)}'`);
    db.close();
    await expect(scene.rebuild()).rejects.toMatchObject({
      code: "REBUILD_INCOMPLETE",
      details: { missing: 0, missing_unnamed: 1 },
    });
  });

  it.each([0x00, 0x5a, 0xff])(
    "I6: pages filled with %i cost their rows, which the archive has",
    async (fill) => {
      const scene = new RebuildScene();
      await scene.ingest(items(200));
      const before = scene.dump();
      const pages = pagesOf(scene.file, "records");
      spoilPages(scene.file, [pages[3], pages[9], pages.at(-2)] as number[], fill);
      const result = await scene.rebuild();
      expect(result.old_store).toMatchObject({ state: "damaged", records: 200, ids_known: "all" });
      expect(result.sources.archive.records).toBeGreaterThan(5);
      expect(result.sources.old_store.records).toBeGreaterThan(150);
      expect(result).toMatchObject({ swapped: true, records: 200, missing: { count: 0 } });
      expect(without(scene.dump().records)).toEqual(without(before.records));
      expect(await found(scene, "needle")).toEqual(ids(0, 200));
    },
  );

  it("I6: a row whose text was changed is not taken; the archive's copy is", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(10));
    const before = scene.dump();
    const db = openRaw(scene.file);
    db.exec(`UPDATE records SET record = replace(record, 'needle', 'noodle') WHERE id IN (4, 5);
      UPDATE records SET sha256 = '${"0".repeat(64)}' WHERE id = 6;
      UPDATE records SET project = 'elsewhere' WHERE id = 7;
      UPDATE records SET record = '{' WHERE id = 8`);
    db.close();
    const result = await scene.rebuild();
    expect(result.old_store).toMatchObject({ state: "damaged", unproved_rows: 5 });
    expect(result.sources).toMatchObject({ old_store: { records: 5 }, archive: { records: 5 } });
    expect(without(scene.dump().records)).toEqual(without(before.records));
  });

  it("I6: a changed row that nothing else has is missing, told by its id, and never silently taken", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(10), { archived: false });
    const { ino } = scene.fs.facts(scene.file);
    const db = openRaw(scene.file);
    db.exec("UPDATE records SET record = replace(record, 'needle', 'noodle') WHERE id = 4");
    db.close();
    await expect(scene.rebuild()).rejects.toMatchObject({
      code: "REBUILD_INCOMPLETE",
      details: { records: 9, missing: 1, missing_ulids: [idOf(3)] },
    });
    expect(scene.fs.facts(scene.file).ino).toBe(ino);
    expect(scene.events.named("store_rebuilt")).toMatchObject([{ missing: 1, swapped: false }]);
    const accepted = await scene.rebuild({ acceptMissing: true });
    expect(accepted).toMatchObject({ swapped: true, missing: { count: 1, ulids: [idOf(3)] } });
    expect(idsOf(scene.dump())).toEqual(ids(0, 10).filter((id) => id !== idOf(3)));
  });

  it("I6: the refused store is kept under the name that is told, until the next rebuild", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(100), { archived: false });
    spoilPages(scene.file, [pagesOf(scene.file, "records")[5] as number]);
    const error = await scene.rebuild().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "REBUILD_INCOMPLETE" });
    const { new_file: kept, missing } = error.details;
    expect(missing).toBeGreaterThan(0);
    expect(scene.storeNames()).toContain(kept);
    expect(scene.dump(join(scene.home, "store", kept)).records).toHaveLength(100 - missing);
    await scene.rebuild({ dryRun: true });
    expect(scene.storeNames()).not.toContain(kept);
  });

  it("I6: rows bring what the archive no longer has, and the archive what the rows have not", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(60), { archived: false });
    await scene.ingest(items(120).slice(60));
    const db = openRaw(scene.file);
    const first = db.prepare("SELECT count(*) AS n FROM records").get() as { n: number };
    db.exec("PRAGMA foreign_keys = OFF; DELETE FROM records WHERE id > 100");
    db.close();
    expect(first.n).toBe(120);
    const result = await scene.rebuild();
    expect(result.sources).toMatchObject({ old_store: { records: 100 }, archive: { records: 20 } });
    expect(idsOf(scene.dump())).toEqual(ids(0, 120));
  });
});

describe("a store of which nothing can be read", () => {
  const ruins: Record<string, (file: string) => void> = {
    "cut in the middle": (file) => truncateSync(file, 40 * 4096),
    "cut to nothing": (file) => truncateSync(file, 0),
    "without its header": (file) => spoilPages(file, [1]),
    "of garbage": (file) => writeFileSync(file, "no database ".repeat(5_000)),
    deleted: (file) => unlinkSync(file),
  };

  it.each(Object.entries(ruins))("I6: %s, comes back from the archive", async (_how, ruin) => {
    const scene = new RebuildScene();
    await scene.ingest(items(200));
    const before = scene.dump();
    ruin(scene.file);
    scene.captured = ids(0, 200);
    const result = await scene.rebuild();
    expect(result).toMatchObject({ swapped: true, records: 200, missing: { count: 0 } });
    expect(result.unaccounted).toEqual({ count: 0, ulids: [] });
    expect(without(scene.dump().records)).toEqual(without(before.records));
    expect(await found(scene, "needle")).toEqual(ids(0, 200));
  });

  it("I6: is not swapped while the ledger names records that nothing brought", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(20), { archived: false });
    await scene.ingest(items(40).slice(20));
    writeFileSync(scene.file, "no database");
    scene.captured = ids(0, 45);
    scene.excused = new Set(ids(40, 45));
    await expect(scene.rebuild()).rejects.toMatchObject({
      code: "REBUILD_INCOMPLETE",
      details: { unaccounted: 20, unaccounted_ulids: ids(0, 20) },
    });
    expect(readFileSync(scene.file, "utf8")).toBe("no database");
    const { kept, unaccounted } = await scene.rebuild({ acceptMissing: true });
    expect(unaccounted?.count).toBe(20);
    expect(readFileSync(join(scene.home, "store", kept as string), "utf8")).toBe("no database");
  });
});

describe("an archive with damage", () => {
  it("I6: costs the batch that is torn, which is told, and no other", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(40));
    rmSync(join(scene.home, "store"), { recursive: true });
    const [path] = scene.archiveFiles() as [string];
    const file = readFileSync(path);
    file.fill(0, Math.floor(file.length * 0.4), Math.floor(file.length * 0.4) + 20);
    writeFileSync(path, file);
    const result = await scene.rebuild();
    expect(result.records).toBe(30);
    expect(result.archive).toMatchObject({ files: 1, skipped_stretches: 1 });
    expect(result.archive.skipped_bytes).toBeGreaterThan(100);
  });

  it("I6: another text under a known id is told, and the row that is there stays", async () => {
    const scene = new RebuildScene();
    await scene.ingest([itemOf(0, { surface: "first" })]);
    scene.spill([itemOf(0, { surface: "second" }), itemOf(1)]);
    const result = await scene.rebuild();
    expect(result.conflicts).toEqual({ count: 1, ulids: [idOf(0)] });
    expect(scene.dump().records).toMatchObject([{ record: '{"surface":"first"}' }, {}]);
  });

  it("I6: an alias waits for its record, whichever source brings it", async () => {
    const scene = new RebuildScene();
    const one = itemOf(0, { surface: "said once", idempotency_key: "k" });
    await scene.ingest([one]);
    await scene.ingest([{ ...one, ulid: idOf(1) }], { archived: false });
    const db = openRaw(scene.file);
    db.exec("UPDATE records SET record = '{'");
    db.close();
    const result = await scene.rebuild();
    expect(result).toMatchObject({ swapped: true, records: 1, aliases: 1 });
    expect(scene.dump().aliases).toMatchObject([{ ulid: idOf(1), of: idOf(0) }]);
  });
});

it("I6: an alias whose hash is not its record's is not believed, and told as missing", async () => {
  const scene = new RebuildScene();
  const one = itemOf(0, { surface: "said once", idempotency_key: "k" });
  await scene.ingest([one, { ...one, ulid: idOf(1) }], { archived: false });
  const db = openRaw(scene.file);
  db.exec(`UPDATE aliases SET sha256 = '${"0".repeat(64)}'`);
  db.close();
  await expect(scene.rebuild()).rejects.toMatchObject({
    code: "REBUILD_INCOMPLETE",
    details: { records: 1, missing: 1, missing_ulids: [idOf(1)] },
  });
});

describe("the work itself", () => {
  it("I6: ends without a swap when the lease is lost or the user interrupts", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(30));
    const { ino } = scene.fs.facts(scene.file);
    const lost = new Error("lost");
    const requireLease = () => {
      throw lost;
    };
    await expect(scene.rebuild({}, { requireLease })).rejects.toBe(lost);
    await expect(scene.rebuild({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(scene.fs.facts(scene.file).ino).toBe(ino);
    expect(scene.storeNames().filter((name) => name.includes("rebuilt"))).toEqual([]);
  });

  it("I6: a lease that is lost at the very end prevents the swap", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(3));
    const { ino } = scene.fs.facts(scene.file);
    let asked = 0;
    await scene.rebuild({ dryRun: true }, { requireLease: () => void asked++ });
    const looks = asked;
    asked = 0;
    const requireLease = () => {
      if (++asked > looks) throw new Error("lost");
    };
    await expect(scene.rebuild({}, { requireLease })).rejects.toThrow("lost");
    expect(scene.fs.facts(scene.file).ino).toBe(ino);
  });

  it("I6: nobody commits to the old store meanwhile, and a late ingester's batch is not lost", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(3));
    const busyRetry = { attemptsMax: 1, delayMinMs: 0, delayMaxMs: 0, random: () => 0 };
    const late = await openSqlite(scene.file, { busyTimeoutMs: 10, busyRetry });
    await late.stats();
    const attempts: unknown[] = [];
    await scene.rebuild({
      onProgress: () => attempts.push(late.commitBatch([itemOf(50)]).catch((error) => error)),
    });
    const outcomes = await Promise.all(attempts);
    expect(outcomes.length).toBeGreaterThan(0);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ code: "STORE_UNAVAILABLE" });
    // Its connection is to the old file; it hears so from its first commit, and then writes anew.
    await expect(late.commitBatch([itemOf(50)])).rejects.toMatchObject({
      details: { reason: "replaced" },
    });
    await late.commitBatch([itemOf(50)]);
    expect(idsOf(scene.dump())).toEqual([...ids(0, 3), idOf(50)]);
  });

  it("I6: a reader finds the new store's records after the swap", async () => {
    const scene = new RebuildScene();
    await scene.ingest(items(3));
    const reader = await openSqlite(scene.file, { readOnly: true, events: silentEvents });
    expect((await reader.stats()).records).toBe(3);
    scene.append(itemOf(9));
    await scene.rebuild();
    expect((await reader.get(idOf(9)))?.record.surface).toBe("text 9");
    // Every process must share one index of the log, by the name that they all look for.
    expect(scene.storeNames()).toEqual(
      expect.arrayContaining(["memspool.db-shm", "memspool.db-wal"]),
    );
  });
});
