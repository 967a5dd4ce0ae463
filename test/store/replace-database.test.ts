import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { commitItems } from "../../src/store/sqlite/commit.ts";
import { prepareItem } from "../../src/store/sqlite/prepared-item.ts";
import {
  decideReplacement,
  finishReplacement,
  INTENT_NAME,
  isBeingReplaced,
} from "../../src/store/sqlite/replace-database.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { addCrashRow } from "../support/crash-table.ts";
import { faultyFsSync, systemError } from "../support/faulty-fs.ts";
import { countDamage, type Damage, damage, NO_DAMAGE, type Row } from "../support/stored-truth.ts";
import { mortalFs } from "./mortal-fs.ts";
import { connect, freshStoreFile, openRaw, openSqlite } from "./open-sqlite.ts";

const OLD = [0, 1, 2].map((n) => itemOf(n));
const NEW = [0, 1, 2, 3, 4].map((n) => itemOf(n));
const KEPT = "memspool.db.before-1";

/** An old store whose last batch lies in its log alone, and a finished new one beside it. */
async function bothStores({ withOld = true } = {}): Promise<string> {
  const file = freshStoreFile();
  const made = `${file}.rebuilt-1`;
  if (withOld) {
    const old = await openSqlite(`${file}.first`);
    await old.commitBatch(OLD);
    // Copied while it is open, as a killed process leaves it.
    for (const suffix of ["", "-wal"]) {
      writeFileSync(file + suffix, readFileSync(`${file}.first${suffix}`));
    }
    await old.close();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}.first${suffix}`, { force: true });
  }
  const connection = connect(made);
  connection.write(() => commitItems(connection, NEW.map(prepareItem), new Date(0).toISOString()));
  connection.db.exec("PRAGMA journal_mode = DELETE");
  connection.close();
  return file;
}

function replacementOf(file: string) {
  const newName = basename(`${file}.rebuilt-1`);
  return { newName, newIno: statSync(`${file}.rebuilt-1`).ino, keptName: KEPT };
}

function replaceWith(fs: DurableFsSync, file: string): void {
  decideReplacement(fs, file, replacementOf(file));
  finishReplacement(fs, file);
}

/** The store as any process finds it that opens it next. */
async function rowsAfterOpening(file: string): Promise<Row[]> {
  const store = await openSqlite(file);
  const rows = await store.timeline({ filter: {}, limit: 100, order: "oldest" });
  const ok = (await store.check()).every((check) => check.ok);
  await store.close();
  expect(ok).toBe(true);
  return rows.map(rowOf);
}

const idsAfterOpening = async (file: string) => ids(await rowsAfterOpening(file));

const WITHOUT_LINKS: DurableFsSync = {
  ...nodeDurableFsSync,
  link: () => {
    throw systemError("EPERM");
  },
};

const ids = (items: readonly { ulid: string }[]) => items.map(({ ulid }) => ulid);

const rowOf = ({ ulid, record }: { ulid: string; record: { surface: string } }): Row => ({
  ulid,
  surface: record.surface,
});

/**
 * Dies before the first call, before the second, and so on; so does whoever comes next.
 * @param broken what the rig is to catch
 * @returns which store was there each time, and what it lacked of the one that was decided for
 */
async function dieAtEachCall(
  base: DurableFsSync,
  withOld: boolean,
  broken = (fs: DurableFsSync, _file: string) => fs,
) {
  const outcomes = new Set<string>();
  const found: Damage[] = [];
  for (let count = 0; ; count++) {
    const file = await bothStores({ withOld });
    const { fs, died } = mortalFs(count, base);
    try {
      replaceWith(broken(fs, file), file);
    } catch {
      expect(died()).toBe(true);
    }
    if (!died()) return { outcomes, found };
    const decided = existsSync(join(dirname(file), INTENT_NAME));
    for (let again = 0; again < 20; again += 3) {
      try {
        finishReplacement(mortalFs(again, base).fs, file);
      } catch {
        // killed again
      }
    }
    const rows = await rowsAfterOpening(file);
    const isNew = decided || rows.length === NEW.length;
    const items = isNew ? NEW : withOld ? OLD : [];
    const which = isNew ? "new" : withOld ? "old" : "none";
    outcomes.add(rows.length === items.length ? which : `${rows.length} rows`);
    found.push(damage(items.map(rowOf), rows));
    expect(isBeingReplaced(nodeDurableFsSync, file)).toBe(false);
  }
}

describe("a replacement", () => {
  it("I6: exchanges the database, keeps the old one with its log, and leaves no intent", async () => {
    const file = await bothStores();
    replaceWith(nodeDurableFsSync, file);
    expect(readdirSync(dirname(file)).sort()).toEqual(["memspool.db", KEPT, `${KEPT}-wal`].sort());
    expect(await idsAfterOpening(file)).toEqual(ids(NEW));
    const kept = openRaw(join(dirname(file), KEPT));
    expect(kept.prepare("SELECT count(*) AS n FROM records").get()).toMatchObject({ n: 3 });
  });

  it.each([
    ["an old store", nodeDurableFsSync, true],
    ["an old store, without hard links", WITHOUT_LINKS, true],
    ["no old store", nodeDurableFsSync, false],
  ])(
    "I6: of %s, killed before any call, ends with one of the two, whole",
    async (what, base, withOld) => {
      const { outcomes, found } = await dieAtEachCall(base, withOld);
      addCrashRow({
        rig: "die at every step",
        operation: `swap in a rebuilt store (${what})`,
        fault: "killed before each call, and its successor too",
        tried: found.length,
        ...countDamage(found),
      });
      expect(found).toEqual(found.map(() => NO_DAMAGE));
      expect(found.length).toBeGreaterThan(15);
      expect([...outcomes].sort()).toEqual(withOld ? ["new", "old"] : ["new", "none"]);
    },
  );

  it("the rig catches: an old store that goes before the new one is decided for", async () => {
    const { found } = await dieAtEachCall(nodeDurableFsSync, true, (fs, file) => ({
      ...fs,
      link: (from, to) => {
        if (to.endsWith(INTENT_NAME)) fs.unlink(file);
        fs.link(from, to);
      },
    }));
    const harm = countDamage(found);
    addCrashRow({
      rig: "die at every step",
      operation: "swap in a rebuilt store (an old store)",
      fault: "an old store that goes before the new one is decided for",
      tried: found.length,
      ...harm,
      caught: harm.lost > 0,
    });
    expect(harm.lost).toBeGreaterThan(0);
  });

  it("I6: at no step does the path name nothing or an empty file", async () => {
    const file = await bothStores();
    const bytes: number[] = [];
    const watched = Object.fromEntries(
      Object.entries(nodeDurableFsSync).map(([name, call]) => [
        name,
        (...args: never[]) => {
          const answer = (call as (...given: never[]) => unknown)(...args);
          bytes.push(statSync(file, { throwIfNoEntry: false })?.size ?? 0);
          return answer;
        },
      ]),
    ) as unknown as DurableFsSync;
    replaceWith(watched, file);
    expect(bytes.length).toBeGreaterThan(15);
    expect(Math.min(...bytes)).toBeGreaterThanOrEqual(4_096);
  });

  it("I6: syncs the intent before anything moves, and the kept names before the old one goes", async () => {
    const file = await bothStores();
    const { fs, calls } = faultyFsSync();
    replaceWith(fs, file);
    const steps = calls
      .filter(({ method }) => ["fsync", "link", "rename", "unlink"].includes(method))
      .map(({ method, args }) => {
        if (method === "fsync") return method;
        return `${method} ${args.map((path) => basename(String(path)).replace(/(tmp|stray)-.*/, "$1")).join(" ")}`;
      });
    expect(steps).toEqual([
      "fsync",
      `link ${INTENT_NAME}.tmp ${INTENT_NAME}`,
      `unlink ${INTENT_NAME}.tmp`,
      "fsync",
      `link memspool.db-wal ${KEPT}-wal`,
      `rename memspool.db-wal ${KEPT}-stray`,
      `unlink ${KEPT}-stray`,
      `link memspool.db ${KEPT}`,
      "fsync",
      "rename memspool.db.rebuilt-1 memspool.db",
      "fsync",
      `unlink ${INTENT_NAME}`,
      "fsync",
    ]);
  });

  it("I6: an intent that can not be made durable is taken back, and the old store stays", async () => {
    const file = await bothStores();
    const { fs, fail } = faultyFsSync();
    fail({ method: "fsync", nth: 2, errno: "EIO" });
    expect(() => decideReplacement(fs, file, replacementOf(file))).toThrow(
      expect.objectContaining({ code: "STORE_UNAVAILABLE" }),
    );
    expect(isBeingReplaced(nodeDurableFsSync, file)).toBe(false);
    expect(await idsAfterOpening(file)).toEqual(ids(OLD));
  });

  it.each(["link", "rename", "fsync", "unlink"])(
    "I6: a failing %s leaves the intent, and the next opening ends it",
    async (method) => {
      const file = await bothStores();
      const { fs, fail } = faultyFsSync();
      decideReplacement(fs, file, replacementOf(file));
      fail({ method, errno: "EIO" });
      expect(() => finishReplacement(fs, file)).toThrow(
        expect.objectContaining({
          code: "STORE_UNAVAILABLE",
          details: expect.objectContaining({ errno: "EIO" }),
        }),
      );
      expect(() => connect(file, { fs })).toThrow(
        expect.objectContaining({ code: "STORE_UNAVAILABLE" }),
      );
      expect(await idsAfterOpening(file)).toEqual(ids(NEW));
    },
  );

  it("I6: several at once end it once, and none takes the new store's log or index away", async () => {
    // Another process does all of it, and commits, between any two calls of this one.
    let nth = 0;
    for (let overtakes = true; overtakes; ) {
      nth++;
      const file = await bothStores();
      const early = openRaw(file); // a reader of the old store, so that it has an index
      early.exec("SELECT count(*) FROM records");
      decideReplacement(nodeDurableFsSync, file, replacementOf(file));
      let calls = 0;
      const overtaken = Object.fromEntries(
        Object.entries(nodeDurableFsSync).map(([name, call]) => [
          name,
          (...args: never[]) => {
            if (++calls === nth) {
              finishReplacement(nodeDurableFsSync, file);
              const other = connect(file);
              other.write(() => commitItems(other, [prepareItem(itemOf(9))], ""));
            }
            return (call as (...given: never[]) => unknown)(...args);
          },
        ]),
      ) as unknown as DurableFsSync;
      finishReplacement(overtaken, file);
      overtakes = calls >= nth;
      if (!overtakes) break;
      for (const suffix of ["-wal", "-shm"]) expect(existsSync(file + suffix)).toBe(true);
      expect(await idsAfterOpening(file)).toEqual([...ids(NEW), idOf(9)]);
      early.close();
      const kept = openRaw(join(dirname(file), KEPT));
      expect(kept.prepare("SELECT count(*) AS n FROM records").get()).toMatchObject({ n: 3 });
      expect(readdirSync(dirname(file)).filter((name) => name.includes("stray"))).toEqual([]);
    }
    expect(nth).toBeGreaterThan(15);
  });

  it("I6: a new store that was taken away by hand leaves the old one with its log", async () => {
    for (const died of [99, 9, 11]) {
      const file = await bothStores();
      decideReplacement(nodeDurableFsSync, file, replacementOf(file));
      if (died < 99) expect(() => finishReplacement(mortalFs(died).fs, file)).toThrow();
      unlinkSync(`${file}.rebuilt-1`);
      expect(await idsAfterOpening(file)).toEqual(ids(OLD));
      expect(isBeingReplaced(nodeDurableFsSync, file)).toBe(false);
    }
  });

  it("I6: a damaged intent stops everybody, and nothing is guessed", async () => {
    const file = await bothStores();
    const intent = join(dirname(file), INTENT_NAME);
    for (const content of [
      "",
      "{",
      "{}",
      '{"version":1,"name":"memspool.db","newName":"../x","newIno":1,"keptName":"y"}',
    ]) {
      writeFileSync(intent, content);
      expect(() => connect(file)).toThrow(
        expect.objectContaining({ code: "STORE_UNAVAILABLE", details: { reason: "intent" } }),
      );
    }
    unlinkSync(intent);
    expect(await idsAfterOpening(file)).toEqual(ids(OLD));
  });

  it("I6: of another database in the directory is not this one's", async () => {
    const file = await bothStores();
    decideReplacement(nodeDurableFsSync, `${file}2`, replacementOf(file));
    finishReplacement(nodeDurableFsSync, file);
    expect(isBeingReplaced(nodeDurableFsSync, `${file}2`)).toBe(true);
    expect(statSync(`${file}.rebuilt-1`).ino).toBe(replacementOf(file).newIno);
  });
});

it("I6: whoever opens the store while it is exchanged tries again and finds the new one", async () => {
  const file = await bothStores();
  let opened = 0;
  const exchanging: DurableFsSync = {
    ...nodeDurableFsSync,
    // The first look at what the path names comes just before the database is opened.
    identityOfPath: (path) => {
      const identity = nodeDurableFsSync.identityOfPath(path);
      if (opened++ === 0) replaceWith(nodeDurableFsSync, file);
      return identity;
    },
  };
  expect(() => connect(file, { fs: exchanging })).toThrow(
    expect.objectContaining({ code: "STORE_UNAVAILABLE", details: { reason: "busy" } }),
  );
  const store = await openSqlite(file, { fs: nodeDurableFsSync });
  expect((await store.get(idOf(4)))?.ulid).toBe(idOf(4));
});

it("I6: a connection to the old store that is closed after the exchange harms neither", async () => {
  const file = await bothStores();
  const late = openRaw(file);
  late.exec("SELECT count(*) FROM records");
  replaceWith(nodeDurableFsSync, file);
  const store = await openSqlite(file);
  await store.commitBatch([itemOf(9)]);
  late.close();
  for (const suffix of ["-wal", "-shm"]) expect(existsSync(file + suffix)).toBe(true);
  // A log or its index that another connection took away would show here.
  await store.commitBatch([itemOf(10)]);
  expect(await idsAfterOpening(file)).toEqual([...ids(NEW), idOf(9), idOf(10)]);
});
