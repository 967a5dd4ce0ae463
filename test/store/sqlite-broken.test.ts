import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { storeError, unavailable } from "../../src/store/sqlite/errors.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { RecordedEvents } from "../support/recorded-events.ts";
import { freshStoreFile, openRaw, openSqlite } from "./open-sqlite.ts";

const away = (reason: string) =>
  expect.objectContaining({ code: "STORE_UNAVAILABLE", details: { reason } });
const texts = (count: number) =>
  Array.from({ length: count }, (_, n) => itemOf(n, { surface: `needle ${"x".repeat(900)} ${n}` }));

describe("a broken file", () => {
  it("I8: garbage is reported, and left as it is", async () => {
    const file = freshStoreFile();
    mkdirSync(dirname(file));
    writeFileSync(file, "not a database, ".repeat(500));
    await expect(openSqlite(file)).rejects.toEqual(away("notadb"));
    expect(readFileSync(file, "utf8")).toBe("not a database, ".repeat(500));
  });

  it("I8: a directory in its place is reported", async () => {
    const file = freshStoreFile();
    mkdirSync(file, { recursive: true });
    await expect(openSqlite(file)).rejects.toEqual(away("cantopen"));
  });

  it("I8: a file in place of its directory is reported", async () => {
    const file = freshStoreFile();
    writeFileSync(dirname(file), "");
    await expect(openSqlite(file)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  it.each(["overwritten", "cut short"])(
    "I8: one that was %s fails calls, not the process",
    async (how) => {
      const file = freshStoreFile();
      const store = await openSqlite(file);
      await store.commitBatch(texts(200));
      await store.close();
      const { size } = statSync(file);
      if (how === "cut short") truncateSync(file, Math.floor(size / 2 / 4096) * 4096);
      else {
        const fd = openSync(file, "r+");
        writeSync(fd, Buffer.alloc(size - 8192, 0x5a), 0, size - 8192, 8192);
        closeSync(fd);
      }
      const attempt = async (): Promise<unknown> => {
        const broken = await openSqlite(file);
        const checks = await broken.check();
        expect(checks.every(({ ok }) => ok)).toBe(false);
        return await broken.commitBatch(texts(300));
      };
      await expect(attempt()).rejects.toEqual(away("corrupt"));
    },
  );

  it("I8: once it is moved away the same store works again, without a restart", async () => {
    const file = freshStoreFile();
    const events = new RecordedEvents();
    const store = await openSqlite(file, { events });
    await store.commitBatch(texts(50));
    await expect(store.get(idOf(1))).resolves.toBeDefined();
    for (const suffix of ["", "-wal", "-shm"]) renameSync(file + suffix, `${file}${suffix}.moved`);
    await expect(store.commitBatch([itemOf(900)])).rejects.toEqual(away("replaced"));
    expect((await store.commitBatch([itemOf(900)])).inserted).toEqual([idOf(900)]);
    expect(await store.stats()).toMatchObject({ records: 1 });
    expect(events.named("store_opened").map(({ created }) => created)).toEqual([true, true]);
  });

  it("S5: a reader finds what lies in the file that took the place of its own", async () => {
    const file = freshStoreFile();
    const other = freshStoreFile();
    const writer = await openSqlite(file);
    await writer.commitBatch([itemOf(1)]);
    const replacement = await openSqlite(other);
    await replacement.commitBatch([itemOf(2)]);
    await Promise.all([writer.close(), replacement.close()]);
    const reader = await openSqlite(file, { readOnly: true });
    await expect(reader.get(idOf(1))).resolves.toBeDefined();
    for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
    renameSync(other, file);
    await expect(reader.get(idOf(2))).resolves.toBeDefined();
    await expect(reader.get(idOf(1))).resolves.toBeUndefined();
  });

  it("I8: a store directory that was removed in use is made again", async () => {
    const file = freshStoreFile();
    const store = await openSqlite(file);
    await store.commitBatch([itemOf(1)]);
    rmSync(dirname(file), { recursive: true });
    await expect(store.commitBatch([itemOf(2)])).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    expect((await store.commitBatch([itemOf(2)])).inserted).toEqual([idOf(2)]);
    expect(statSync(file).isFile()).toBe(true);
  });
});

describe("a locked store", () => {
  it("S2: is tried a bounded number of times, then reported, and works once it is free", async () => {
    const file = freshStoreFile();
    let tries = 0;
    const random = () => {
      tries++;
      return 0;
    };
    const busyRetry = { attemptsMax: 3, delayMinMs: 0, delayMaxMs: 1, random };
    const store = await openSqlite(file, { busyTimeoutMs: 1, busyRetry });
    const other = openRaw(file);
    other.exec("BEGIN IMMEDIATE");
    await expect(store.commitBatch([itemOf(1)])).rejects.toEqual(away("busy"));
    expect(tries).toBe(2);
    expect(await store.get(idOf(1))).toBeUndefined();
    other.exec("ROLLBACK");
    expect((await store.commitBatch([itemOf(1)])).inserted).toEqual([idOf(1)]);
  });

  it("S2: is not tried any longer when the store is being closed", async () => {
    const file = freshStoreFile();
    const busyRetry = { attemptsMax: 1_000, delayMinMs: 5, delayMaxMs: 5, random: () => 0 };
    const store = await openSqlite(file, { busyTimeoutMs: 1, busyRetry });
    openRaw(file).exec("BEGIN IMMEDIATE");
    const commit = expect(store.commitBatch([itemOf(1)])).rejects.toEqual(away("closed"));
    await store.close();
    await commit;
  });
});

describe("a refused record", () => {
  it("S1: takes its whole batch back, and the store goes on", async () => {
    const store = await openSqlite(freshStoreFile());
    for (const bad of [
      { ...itemOf(2), recordJson: '{"surface":"\0"}' },
      { ...itemOf(2), recordJson: '{"surface":"\ud800"}' },
      { ...itemOf(2), appendedAt: "yesterday" },
    ]) {
      const failure = store.commitBatch([itemOf(1), bad]);
      await expect(failure).rejects.toMatchObject({ code: "STORE_REFUSED", retryable: false });
    }
    expect((await store.stats()).records).toBe(0);
    expect((await store.commitBatch([itemOf(1)])).inserted).toEqual([idOf(1)]);
  });

  it("S1: a failure in the middle of a batch rolls all of it back", async () => {
    const file = freshStoreFile();
    const store = await openSqlite(file);
    openRaw(file).exec(`CREATE TRIGGER refuse BEFORE INSERT ON records
      WHEN new.ulid = '${idOf(3)}' BEGIN SELECT raise(ABORT, 'a secret'); END`);
    const failure = store.commitBatch([1, 2, 3, 4].map((n) => itemOf(n, { surface: "word" })));
    await expect(failure).rejects.toMatchObject({
      code: "STORE_REFUSED",
      message: expect.not.stringContaining("secret"),
    });
    expect(await store.stats()).toMatchObject({ records: 0 });
    const query = { terms: ["word"], filter: {}, countMax: 9 };
    expect((await store.candidates(query)).documentFrequency).toEqual({ word: 0 });
  });

  it("S1: a store that was opened to read refuses to write", async () => {
    const store = await openSqlite(freshStoreFile(), { readOnly: true });
    await expect(store.commitBatch([itemOf(1)])).rejects.toThrow(TypeError);
    expect(await store.stats()).toMatchObject({ records: 0 });
  });
});

describe("driver errors", () => {
  /** What SQLite really throws for each kind of failure. */
  const produced: Readonly<Record<string, (db: DatabaseSyncInstance) => void>> = {
    full: (db) => db.exec("PRAGMA max_page_count = 2; CREATE TABLE b (x); CREATE TABLE c (x)"),
    readonly: (db) => db.exec("PRAGMA query_only = ON; INSERT INTO t VALUES (1, 'x')"),
    toobig: (db) => db.exec("SELECT zeroblob(2000000000)"),
    constraint: (db) => db.exec("INSERT INTO t VALUES (1, 'x'), (1, 'y')"),
    mismatch: (db) => db.exec("INSERT INTO t VALUES ('one', 'x')"),
    range: (db) => void db.prepare("SELECT ?").get(1, 2),
  };

  it.each(Object.keys(produced))("I8: %s becomes a MemspoolError without driver text", (kind) => {
    const db = new DatabaseSync(":memory:");
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x)");
    let thrown: unknown;
    try {
      produced[kind]?.(db);
    } catch (error) {
      thrown = error;
    }
    const refusedKinds = ["toobig", "constraint", "mismatch", "range"];
    const failure = storeError(thrown) as MemspoolError;
    expect(failure.code).toBe(refusedKinds.includes(kind) ? "STORE_REFUSED" : "STORE_UNAVAILABLE");
    expect(failure.details).toEqual({ reason: kind });
    expect(failure.message).not.toContain((thrown as Error).message);
    expect(failure.cause).toBe(thrown);
  });

  it.each([
    [3, "perm"],
    [5, "busy"],
    [6, "locked"],
    [7, "nomem"],
    [8, "readonly"],
    [10, "ioerr"],
    [11, "corrupt"],
    [13, "full"],
    [14, "cantopen"],
    [26, "notadb"],
  ])("I8: result code %i, also extended, is %s", (code, reason) => {
    const errcode = code | (7 << 8);
    const extended = Object.assign(new Error("words"), { code: "ERR_SQLITE_ERROR", errcode });
    expect(storeError(extended)).toEqual(away(reason));
  });

  it("I8: an error to which the binding gave no code is known by SQLite's own text", () => {
    const code = "ERR_SQLITE_ERROR";
    for (const [text, reason] of [
      ["database is locked", "busy"],
      ["disk I/O error", "ioerr"],
      ["database disk image is malformed", "corrupt"],
      ["fts5: corrupt structure record for table", "corrupt"],
      ["file is not a database", "notadb"],
    ] as const) {
      expect(storeError(Object.assign(new Error(text), { code }))).toEqual(away(reason));
    }
  });

  it("I8: what is not the store's failure comes out as it is", () => {
    for (const error of [
      new TypeError("a mistake"),
      Object.assign(new Error("syntax"), { code: "ERR_SQLITE_ERROR", errcode: 1 }),
      Object.assign(new Error("database is locked"), { errcode: 5 }),
      Object.assign(new Error("near a word"), { code: "ERR_SQLITE_ERROR" }),
      "text",
      new MemspoolError("STORE_TOO_NEW", "newer"),
    ]) {
      expect(storeError(error)).toBe(error);
    }
    expect(unavailable("something new").details).toEqual({ reason: "something new" });
  });
});
