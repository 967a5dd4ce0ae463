import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { openStore } from "../../src/store/open-store.ts";
import type { SqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { damageOfStoreCopy } from "../../src/store/stored-copy.ts";
import { committerItem } from "./committer-item.ts";
import { freshStoreFile, openRaw, openSqlite } from "./open-sqlite.ts";

/** Enough for several steps of the copy. */
const COUNT = 4_000;

/** Pages a step, as backup.ts has it. */
const STEP_PAGES = 256;
/** Commits before the copy can have been reported as done. */
const AT_ONCE = 5;

const items = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => committerItem(from + n));

async function filled(): Promise<{ store: SqliteStore; file: string; copy: string }> {
  const file = freshStoreFile();
  const store = await openSqlite(file);
  await store.commitBatch(items(0, COUNT));
  return { store, file, copy: join(dirname(dirname(file)), "copy.db") };
}

async function recordsIn(file: string): Promise<number> {
  const store = await openStore({ file, readOnly: true });
  try {
    return (await store.stats()).records;
  } finally {
    await store.close();
  }
}

it("S7: commits during the copy neither wait for it, nor start it anew, nor get into it", async () => {
  const { store, copy } = await filled();
  let committed = COUNT;
  let writing: Promise<unknown> = Promise.resolve();
  const left: number[] = [];
  let pages = 0;
  const write = async () => {
    await store.commitBatch(items(committed, 1));
    committed++;
  };
  let isOver = false;
  const copying = store.copyTo(copy, {
    onProgress: (done, total) => {
      pages = total;
      left.push(total - done);
      writing = writing.then(write);
    },
  });
  const ended = copying.finally(() => {
    isOver = true;
  });
  // The snapshot is taken by the call itself; its end can not be heard of before these are committed.
  for (let n = 0; n < AT_ONCE; n++) await write();
  expect(isOver).toBe(false);
  await ended;
  await writing;
  expect(pages).toBeGreaterThan(3 * STEP_PAGES);
  // A thread copies: while this one commits, several steps may come as one report.
  expect(left.at(-1)).toBe(0);
  expect(left).toEqual(left.toSorted((one, other) => other - one));
  expect(committed).toBe(COUNT + AT_ONCE + left.length);
  expect(await recordsIn(copy)).toBe(COUNT);
  expect((await store.stats()).records).toBe(committed);
});

it("S7: the copy is one file of mode 0600 that needs no other, and reading it makes none", async () => {
  const { store, copy } = await filled();
  await store.copyTo(copy);
  const names = () => readdirSync(dirname(copy)).filter((name) => name.startsWith("copy"));
  expect(names()).toEqual(["copy.db"]);
  expect((statSync(copy).mode & 0o777).toString(8)).toBe("600");
  expect(readFileSync(copy).subarray(18, 20)).toEqual(Buffer.from([1, 1]));
  chmodSync(copy, 0o400);
  expect(await damageOfStoreCopy(copy)).toBeUndefined();
  expect(names()).toEqual(["copy.db"]);
});

it("S7: the original's log can be emptied again after a copy, whether it ended well or not", async () => {
  const { store, file, copy } = await filled();
  await store.copyTo(copy);
  const stop = new AbortController();
  const stopped = store.copyTo(`${copy}2`, {
    signal: stop.signal,
    onProgress: () => stop.abort(),
  });
  await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
  await store.commitBatch(items(COUNT, 1));
  const emptied = openRaw(file).prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  expect(emptied).toMatchObject({ busy: 0, log: 0 });
});

it("S7: a place that is taken is left alone", async () => {
  const { store, copy } = await filled();
  writeFileSync(copy, "mine");
  await expect(store.copyTo(copy)).rejects.toMatchObject({ code: "EEXIST" });
  expect(readFileSync(copy, "utf8")).toBe("mine");
});

it("S7: notices a copy that is damaged, no database, missing, or out of count", async () => {
  const { store, copy } = await filled();
  await store.copyTo(copy);
  const whole = readFileSync(copy);
  const spoilt = Buffer.from(whole);
  spoilt.fill(0xff, 40_960, 49_152);
  writeFileSync(copy, spoilt);
  expect(await damageOfStoreCopy(copy)).toMatch(/problems|can not read/);
  writeFileSync(copy, whole.subarray(0, whole.length / 2));
  expect(await damageOfStoreCopy(copy)).toMatch(/problems|can not read/);
  writeFileSync(copy, "no database, and longer than a hundred bytes ".repeat(9));
  expect(await damageOfStoreCopy(copy)).toBe("SQLite can not read it");
  expect(await damageOfStoreCopy(`${copy}.gone`)).toBe("SQLite can not read it");
  expect(existsSync(`${copy}.gone`)).toBe(false);
  writeFileSync(copy, whole);
  openRaw(copy).exec("UPDATE totals SET records = records + 1");
  expect(await damageOfStoreCopy(copy)).toBe(`it counts ${COUNT + 1}, and has ${COUNT}`);
});
