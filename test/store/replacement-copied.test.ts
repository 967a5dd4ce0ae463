import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, it } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { commitItems } from "../../src/store/sqlite/commit.ts";
import { prepareItem } from "../../src/store/sqlite/prepared-item.ts";
import {
  decideReplacement,
  finishReplacement,
  INTENT_NAME,
} from "../../src/store/sqlite/replace-database.ts";
import { itemOf } from "../contract/store-bench.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { mortalFs } from "./mortal-fs.ts";
import { connect, freshStoreFile, openSqlite } from "./open-sqlite.ts";

/** An old store, the last of its three records in its log alone, and a finished new one with five. */
async function bothStores(): Promise<string> {
  const file = freshStoreFile();
  const first = `${file}.first`;
  const settled = await openSqlite(first);
  await settled.commitBatch([0, 1].map((n) => itemOf(n)));
  await settled.close();
  const old = await openSqlite(first);
  await old.commitBatch([itemOf(2)]);
  for (const suffix of ["", "-wal"]) writeFileSync(file + suffix, readFileSync(first + suffix));
  await old.close();
  for (const suffix of ["", "-wal", "-shm"]) rmSync(first + suffix, { force: true });
  const made = connect(`${file}.rebuilt-1`);
  const items = [0, 1, 2, 3, 4].map((n) => prepareItem(itemOf(n)));
  made.write(() => commitItems(made, items, new Date(0).toISOString()));
  made.db.exec("PRAGMA journal_mode = DELETE");
  made.close();
  return file;
}

it("I6: a directory that is copied in the midst of it, to other inodes, holds the old or the new", async () => {
  const found = new Set<number>();
  let decided = 0;
  for (let count = 0, died = true; died; count++) {
    const file = await bothStores();
    const newIno = statSync(`${file}.rebuilt-1`).ino;
    const newName = basename(`${file}.rebuilt-1`);
    const mortal = mortalFs(count, nodeDurableFsSync);
    try {
      const keptName = "memspool.db.before-1";
      decideReplacement(mortal.fs, file, { newName, newIno, keptName });
      finishReplacement(mortal.fs, file);
    } catch {
      expect(mortal.died()).toBe(true);
    }
    died = mortal.died();
    if (readdirSync(dirname(file)).includes(INTENT_NAME)) decided++;
    const copied = join(freshDirectory(), "store");
    cpSync(dirname(file), copied, { recursive: true });
    const isNew = !existsSync(join(copied, newName));
    const store = await openSqlite(join(copied, basename(file)));
    const rows = await store.timeline({ filter: {}, limit: 100, order: "oldest" });
    expect((await store.check()).filter(({ ok }) => !ok)).toEqual([]);
    await store.close();
    // The old log beside the new database would bring the old records over the new ones.
    expect(rows.length).toBe(isNew ? 5 : 3);
    expect(readdirSync(copied)).not.toContain(INTENT_NAME);
    found.add(rows.length);
  }
  expect([...found].sort()).toEqual([3, 5]);
  expect(decided).toBeGreaterThan(5);
});
