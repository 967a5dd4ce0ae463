import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import {
  BUSY_TIMEOUT_MS,
  compareVersions,
  SQLITE_VERSION_MIN,
} from "../../src/store/sqlite/connection.ts";
import { identityOf, prepareDatabaseFile } from "../../src/store/sqlite/database-file.ts";
import { SCHEMA_VERSION } from "../../src/store/sqlite/schema.ts";
import { faultyFsSync, systemError } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { connect, firstValue, freshStoreFile, openRaw } from "./open-sqlite.ts";

describe("settings", () => {
  it("S2: a new and a reopened connection read back FULL, WAL and the busy timeout", () => {
    const file = freshStoreFile();
    for (const round of ["new", "reopened", "beside it"]) {
      const connection = connect(file);
      expect(firstValue(connection.db, "PRAGMA synchronous"), round).toBe(2);
      expect(firstValue(connection.db, "PRAGMA journal_mode"), round).toBe("wal");
      expect(firstValue(connection.db, "PRAGMA busy_timeout"), round).toBe(BUSY_TIMEOUT_MS);
      if (round === "new") connection.close();
    }
  });

  it("S2: without our settings a reopened database is not FULL, which is why they are set", () => {
    const file = freshStoreFile();
    connect(file).close();
    const raw = openRaw(file);
    raw.prepare("SELECT count(*) FROM records").get();
    expect(firstValue(raw, "PRAGMA synchronous")).toBe(1);
  });

  it("S2: refuses a SQLite library older than the fault that damages shared databases", () => {
    expect(compareVersions("3.51.2", SQLITE_VERSION_MIN)).toBeLessThan(0);
    expect(compareVersions("3.9.99", SQLITE_VERSION_MIN)).toBeLessThan(0);
    expect(compareVersions("3.51.3", SQLITE_VERSION_MIN)).toBe(0);
    expect(compareVersions("3.100.0", SQLITE_VERSION_MIN)).toBeGreaterThan(0);
    expect(compareVersions("4.0", SQLITE_VERSION_MIN)).toBeGreaterThan(0);
  });

  it("S2: a write takes the lock before it looks at anything, so it can not fail half-way", () => {
    const file = freshStoreFile();
    const connection = connect(file, { busyTimeoutMs: 1 });
    openRaw(file).exec("BEGIN IMMEDIATE");
    let began = false;
    const write = () =>
      connection.write(() => {
        began = true;
        return connection.statement("SELECT records FROM totals").get();
      });
    expect(write).toThrow("database is locked");
    expect(began).toBe(false);
    expect(connection.db.isTransaction).toBe(false);
  });

  it("S2: a reader's connection can not write", () => {
    const connection = connect(freshStoreFile(), { readOnly: true });
    expect(connection.created).toBe(true);
    expect(() => connection.db.exec("DELETE FROM records")).toThrow();
  });
});

describe("files", () => {
  const mode = (path: string) => statSync(path).mode & 0o777;

  it("X1: directories are 0700 and all files of the database 0600 under umask 0", () => {
    const before = process.umask(0);
    onTestFinished(() => void process.umask(before));
    const file = join(freshDirectory(), "a", "b", "memspool.db");
    const connection = connect(file);
    connection.write(() => connection.db.exec("UPDATE totals SET records = 0"));
    const names = readdirSync(dirname(file)).sort();
    expect(names).toEqual(["memspool.db", "memspool.db-shm", "memspool.db-wal"]);
    for (const name of names) expect(mode(join(dirname(file), name)), name).toBe(0o600);
    expect(mode(dirname(file))).toBe(0o700);
    expect(mode(dirname(dirname(file)))).toBe(0o700);
  });

  it.each(["memspool.db", "memspool.db-wal", "memspool.db-shm"])(
    "X1: a symbolic link at %s is refused and its target left alone",
    (name) => {
      const home = freshDirectory();
      const target = join(home, "elsewhere");
      mkdirSync(join(home, "store"));
      symlinkSync(target, join(home, "store", name));
      expect(() => connect(join(home, "store", "memspool.db"))).toThrow(
        expect.objectContaining({ code: "UNSAFE_PATH" }),
      );
      expect(readdirSync(home).sort()).toEqual(["store"]);
    },
  );

  it("X1: a store directory that is a symbolic link is refused", () => {
    const home = freshDirectory();
    const elsewhere = mkdtempSync(join(home, "elsewhere-"));
    symlinkSync(elsewhere, join(home, "store"));
    expect(() => connect(join(home, "store", "memspool.db"))).toThrow(
      expect.objectContaining({ code: "UNSAFE_PATH" }),
    );
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("S2: syncs the names it made, and those of a process that died before it could", () => {
    const file = freshStoreFile();
    const faulty = faultyFsSync(nodeDurableFsSync);
    faulty.fail({ method: "fsync", errno: "EIO" });
    expect(() => prepareDatabaseFile(faulty.fs, file)).toThrow(
      expect.objectContaining({ code: "STORE_UNAVAILABLE" }),
    );
    faulty.fail(undefined);
    faulty.calls.length = 0;
    prepareDatabaseFile(faulty.fs, file);
    const synced = faulty.calls.flatMap(({ method, args }) => {
      return method === "openDirectory" ? [String(args[0])] : [];
    });
    expect(synced).toEqual([dirname(file), dirname(dirname(file))]);
    expect(faulty.methods().filter((method) => method === "fsync")).toHaveLength(2);
  });

  it("S2: a parent that may not be synced is no obstacle, any other failure is", () => {
    for (const [errno, passes] of [
      ["EACCES", true],
      ["EINVAL", true],
      ["EIO", false],
    ] as const) {
      const file = freshStoreFile();
      connect(file).close();
      const faulty = faultyFsSync(nodeDurableFsSync);
      const home = dirname(dirname(file));
      faulty.fail({ method: "openDirectory", errno, pathEnds: home });
      const open = () => prepareDatabaseFile(faulty.fs, file);
      if (passes) expect(open()).toEqual({ created: false });
      else expect(open).toThrow(expect.objectContaining({ code: "STORE_UNAVAILABLE" }));
    }
  });

  it.each([
    ["ENOSPC", "full"],
    ["EROFS", "readonly"],
    ["EACCES", "perm"],
    ["EIO", "ioerr"],
    ["EMFILE", "cantopen"],
  ])("I8: %s while making the file is reported as %s", (errno, reason) => {
    const faulty = faultyFsSync(nodeDurableFsSync);
    faulty.fail({ method: "openExclusive", errno });
    expect(() => prepareDatabaseFile(faulty.fs, freshStoreFile())).toThrow(
      expect.objectContaining({ code: "STORE_UNAVAILABLE", details: { reason, errno } }),
    );
  });

  it("S2: a process that finds file and directory just made by another goes on", () => {
    const file = freshStoreFile();
    const faulty = faultyFsSync(nodeDurableFsSync);
    faulty.fail({ method: "link", errno: "EEXIST", afterwards: true });
    expect(prepareDatabaseFile(faulty.fs, file)).toEqual({ created: false });
    const other = freshStoreFile();
    faulty.fail({ method: "makeDirectory", errno: "EEXIST", afterwards: true });
    expect(prepareDatabaseFile(faulty.fs, other)).toEqual({ created: true });
  });

  it("S2: no descriptor of the database itself is ever closed by us, which would drop SQLite's locks", () => {
    const file = freshStoreFile();
    const faulty = faultyFsSync(nodeDurableFsSync);
    prepareDatabaseFile(faulty.fs, file);
    prepareDatabaseFile(faulty.fs, file);
    const opened = faulty.calls.filter(({ method }) => /^open(?!Directory)/.test(method));
    expect(opened.map(({ args }) => args[0])).not.toContain(file);
    expect(opened).toHaveLength(1);
    expect(readdirSync(dirname(file))).toEqual(["memspool.db"]);
  });

  it("S2: where there are no hard links the file is made exclusively, and one made meanwhile is never replaced", () => {
    const file = freshStoreFile();
    const faulty = faultyFsSync(nodeDurableFsSync);
    faulty.fail({ method: "link", errno: "EPERM" });
    expect(prepareDatabaseFile(faulty.fs, file)).toEqual({ created: true });
    expect(readdirSync(dirname(file))).toEqual(["memspool.db"]);
    // Another process makes and fills the database between our look and our making it.
    const raced = freshStoreFile();
    const racing = faultyFsSync({
      ...nodeDurableFsSync,
      link: () => {
        writeFileSync(raced, "rows");
        throw systemError("EPERM");
      },
    });
    expect(prepareDatabaseFile(racing.fs, raced)).toEqual({ created: false });
    expect(readFileSync(raced, "utf8")).toBe("rows");
  });

  it("I8: a path whose identity can not be read is an unavailable store, no path is none", () => {
    const faulty = faultyFsSync(nodeDurableFsSync);
    expect(identityOf(faulty.fs, freshStoreFile())).toBeUndefined();
    faulty.fail({ method: "identityOfPath", errno: "EIO" });
    expect(() => identityOf(faulty.fs, "x")).toThrow(
      expect.objectContaining({ code: "STORE_UNAVAILABLE" }),
    );
  });
});

describe("schema", () => {
  it("S2: a database of a newer memspool is left alone", () => {
    const file = freshStoreFile();
    connect(file).close();
    openRaw(file).exec("PRAGMA user_version = 999");
    expect(() => connect(file)).toThrow(
      expect.objectContaining({
        code: "STORE_TOO_NEW",
        details: { schema_version: 999, supported_version: SCHEMA_VERSION },
      }),
    );
    expect(firstValue(openRaw(file), "PRAGMA user_version")).toBe(999);
  });

  it("S2: another program's database is left alone", () => {
    const file = join(freshDirectory(), "other.db");
    const other = new DatabaseSync(file);
    other.exec("CREATE TABLE theirs (x); PRAGMA user_version = 0");
    other.close();
    expect(() => connect(file)).toThrow(
      expect.objectContaining({ code: "STORE_UNAVAILABLE", details: { reason: "foreign" } }),
    );
    expect(firstValue(openRaw(file), "SELECT count(*) FROM sqlite_schema")).toBe(1);
  });

  it("I8: a database that lost a table is unavailable and says which", () => {
    const file = freshStoreFile();
    connect(file).close();
    openRaw(file).exec("DROP TABLE aliases");
    expect(() => connect(file)).toThrow(
      expect.objectContaining({
        code: "STORE_UNAVAILABLE",
        details: { reason: "schema", missing: "aliases" },
      }),
    );
  });

  it("S2: a migration that can not get the lock leaves nothing behind, and the next open does it", () => {
    const file = freshStoreFile();
    mkdirSync(dirname(file));
    const other = new DatabaseSync(file);
    other.exec("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; PRAGMA application_id = 7");
    expect(() => connect(file, { busyTimeoutMs: 1 })).toThrow(
      expect.objectContaining({ code: "STORE_UNAVAILABLE", details: { reason: "busy" } }),
    );
    other.exec("ROLLBACK");
    other.close();
    expect(firstValue(connect(file).db, "SELECT records FROM totals")).toBe(0);
  });

  it("S2: an empty file, as a crash may leave it, becomes a store", () => {
    const file = freshStoreFile();
    mkdirSync(dirname(file));
    writeFileSync(file, "");
    const connection = connect(file);
    expect(connection.created).toBe(false);
    expect(firstValue(connection.db, "SELECT records FROM totals")).toBe(0);
  });
});
