import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { deletedSegmentsIn } from "../../src/store/sqlite/scrub.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { seededRandom } from "../crash/power-model.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { openRaw } from "./open-sqlite.ts";

/** Without their first letter: the index leaves out what a term shares with the one before it. */
const MARKS = ["qsurface", "qcue", "qtag", "qmeta", "qsession", "qsource", "qkey", "qproj"];
const RECORDS = 3_000;
const BATCH = 100;
const ORDER = { request: idOf(900_000), forgottenAt: "2026-04-01T00:00:00.000Z", reason: "test" };
const goOn = { isStopping: () => false };

/** Different words in each, so that the index has something to merge; long names split pages. */
function plain(n: number): Partial<MemoryRecord> {
  const words = Array.from(
    { length: 40 },
    (_, k) => `w${((n * 31 + k * 7919) % 5_003).toString(36)}`,
  );
  return {
    surface: words.join(" "),
    session_id: `session ${"s".repeat(n % 200)} ${n}`,
    tags: ["t"],
  };
}

function marked(n: number): Partial<MemoryRecord> {
  return {
    // Letters alone are kept in the table of words, too.
    surface: `zqsurface${"abcdefghij"[n % 10]}${"klmnopqrst"[Math.floor(n / 10) % 10]} zqsurface${n}é ${"filler ".repeat(n % 3 === 0 ? 2_000 : 3)} zqsurface${n}tail`,
    cue: `zqcue${n}`,
    tags: [`zqtag${n}`],
    metadata: { note: `zqmeta${n}` },
    session_id: `zqsession${n}`,
    source: `zqsource${n}`,
    idempotency_key: `zqkey${n}`,
    project: `zqproj${n}`,
  };
}

function occurrences(file: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of readdirSync(dirname(file))) {
    const bytes = readFileSync(join(dirname(file), name));
    for (const mark of MARKS) {
      let count = 0;
      for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + 1)) count++;
      if (count > 0) counts[mark] = (counts[mark] ?? 0) + count;
    }
  }
  return counts;
}

async function filled(file: string, isMarked: (n: number) => boolean): Promise<MemoryStore> {
  const store = await openStore({ file });
  onTestFinished(() => store.close());
  for (let from = 0; from < RECORDS; from += BATCH) {
    const numbers = Array.from({ length: BATCH }, (_, k) => from + k);
    await store.commitBatch(numbers.map((n) => itemOf(n, isMarked(n) ? marked(n) : plain(n))));
  }
  return store;
}

describe("what the database's files hold afterwards", () => {
  it.each([
    ["one record", (n: number) => n === 1_501],
    ["records all over the store", (n: number) => n % 97 === 5],
    ["a stretch of records", (n: number) => n >= 700 && n < 1_100],
  ])("S6: not a byte of %s, in database, free pages or log", async (_, isMarked) => {
    const file = join(freshDirectory(), "memspool.db");
    const store = await filled(file, isMarked);
    const ids = Array.from({ length: RECORDS }, (_unused, n) => n)
      .filter(isMarked)
      .map(idOf);
    for (const mark of MARKS) expect(occurrences(file)[mark]).toBeGreaterThan(0);
    expect(await store.forget({ ...ORDER, ulids: ids })).toEqual({ removed: ids.length });
    // The rows are gone, and a scan still finds what pages and log keep of them.
    expect(Object.keys(occurrences(file)).length).toBeGreaterThan(0);
    expect(await store.scrub(goOn)).toBe("clean");
    expect(occurrences(file)).toEqual({});
    expect((await store.auditCounts()).indexed).toBe(RECORDS - ids.length);
    const { faults } = await store.auditIndex({ of: 20, first: 0, count: 20 });
    expect(faults).toEqual([]);
    for (const { name, ok } of await store.check()) expect(ok, name).toBe(true);
  });

  it("S6: nor of what lay on pages that are free, as merges of the index leave them", async () => {
    const file = join(freshDirectory(), "memspool.db");
    const store = await filled(file, (n) => n === 10);
    const db = openRaw(file);
    db.exec(`PRAGMA secure_delete = OFF;
      CREATE TABLE junk (bytes TEXT);
      INSERT INTO junk VALUES (printf('%.*c', 2000000, 'x') || 'zqsurface' || printf('%.*c', 100000, 'x'));
      DROP TABLE junk; PRAGMA wal_checkpoint(TRUNCATE)`);
    db.close();
    await store.forget({ ...ORDER, ulids: [idOf(10)] });
    expect(await store.scrub(goOn)).toBe("clean");
    expect(occurrences(file)).toEqual({});
  });

  it("S6: nor of what SQLite has moved to another page and not erased on the old one", async () => {
    const file = join(freshDirectory(), "memspool.db");
    const store = await openStore({ file });
    onTestFinished(() => store.close());
    const random = seededRandom(3);
    const mark = (n: number) => `zq${String(n).padStart(5, "0")}x`;
    const record = (n: number): Partial<MemoryRecord> => ({
      surface: `${mark(n)} ${"f".repeat(Math.floor(random() * (n % 5 === 0 ? 3_000 : 600)))}`,
      tags: [`tag${mark(n)}`],
      session_id: `s${mark(n)}`,
      source: mark(n),
      idempotency_key: mark(n),
      project: `p${mark(n)}`,
    });
    const left = new Set(Array.from({ length: 1_200 }, (_, n) => n));
    await store.commitBatch([...left].map((n) => itemOf(n, record(n))));
    for (let round = 0; round < 7; round++) {
      // Each round makes SQLite balance its trees, and forgets what an earlier one moved.
      const chosen = [...left].filter(() => random() < 0.1);
      for (const n of chosen) left.delete(n);
      const request = idOf(900_000 + round);
      await store.forget({ ...ORDER, request, ulids: chosen.map(idOf) });
      expect(await store.scrub(goOn)).toBe("clean");
      const text = readFileSync(file, "latin1");
      const found = [...text.matchAll(/q(\d{5})x/g)].map(([, digits]) => Number(digits));
      expect(found.filter((n) => !left.has(n))).toEqual([]);
    }
  });

  it("S6: a reader's open snapshot blocks the last step, and only that", async () => {
    const file = join(freshDirectory(), "memspool.db");
    const store = await filled(file, (n) => n === 10);
    const { openDatabaseToRead } = await import("../../src/store/sqlite/driver.ts");
    const reader = openDatabaseToRead(file);
    onTestFinished(() => reader.close());
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) AS n FROM records").get();
    await store.forget({ ...ORDER, ulids: [idOf(10)] });
    expect(await store.scrub(goOn)).toBe("blocked");
    const { size } = statSync(`${file}-wal`);
    expect(await store.scrub(goOn)).toBe("blocked");
    expect(statSync(`${file}-wal`).size).toBe(size);
    expect((await store.commitBatch([itemOf(RECORDS + 1)])).inserted).toHaveLength(1);
    reader.exec("COMMIT");
    expect(await store.scrub(goOn)).toBe("clean");
    expect(occurrences(file)).toEqual({});
  });
});

describe("a store from before there were tombstones", () => {
  it("S6: gets them when it is opened, and forgets what it held before", async () => {
    const file = join(freshDirectory(), "memspool.db");
    const before = await openStore({ file });
    const same = { surface: "said twice", idempotency_key: "k" };
    await before.commitBatch([itemOf(1, same), itemOf(2, same), itemOf(3)]);
    await before.close();
    const db = openRaw(file);
    db.exec(`DROP TABLE tombstones; DROP INDEX aliases_of; DROP INDEX supersessions_by;
      PRAGMA user_version = 2`);
    db.close();
    const store = await openStore({ file });
    onTestFinished(() => store.close());
    expect((await store.stats()).schemaVersion).toBeGreaterThan(1);
    expect(await store.forget({ ...ORDER, ulids: [idOf(2)] })).toEqual({ removed: 1 });
    const known = await store.lookup([1, 2, 3].map(idOf));
    expect([1, 2, 3].map((n) => known.get(idOf(n))?.state)).toEqual([
      "forgotten",
      "forgotten",
      "ingested",
    ]);
  });
});

describe("the index's structure", () => {
  const header = [0, 0, 0, 1, 0xff, 0, 0, 1];
  it("S6: counts segments with deletions, whatever the length of the numbers", () => {
    // One level of two segments; the second has 300 deletions on 129 pages.
    const segments = [1, 1, 9, 0, 0, 0, 0, 50, 2, 1, 9, 0, 0, 0x81, 0x01, 0x82, 0x2c, 50];
    expect(deletedSegmentsIn(Uint8Array.from([...header, 1, 2, 7, 0, 2, ...segments]))).toBe(1);
  });

  it("S6: takes no other form for it", () => {
    expect(() => deletedSegmentsIn(Uint8Array.from([0, 0, 0, 1, 1, 1, 1, 1]))).toThrow(TypeError);
    expect(() => deletedSegmentsIn(Uint8Array.from([...header, 1, 1, 7, 0]))).toThrow(TypeError);
  });
});
