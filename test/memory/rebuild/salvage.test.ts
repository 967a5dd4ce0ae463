import { statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { openDatabaseToRead } from "../../../src/store/sqlite/driver.ts";
import { SqliteRebuild } from "../../../src/store/sqlite/rebuild-sqlite.ts";
import { Salvage } from "../../../src/store/sqlite/salvage.ts";
import { idOf, itemOf } from "../../contract/store-bench.ts";
import { connect, openRaw } from "../../store/open-sqlite.ts";
import { idsOf, pagesOf, RebuildScene, spoilPages } from "./rebuild-scene.ts";

const ITEMS = Array.from({ length: 300 }, (_, n) =>
  itemOf(n, { surface: `${n} ${"x".repeat(500)}`, project: `p${n % 4}` }),
);
const IDS = ITEMS.map(({ ulid }) => ulid);
const NO_WAIT = { attemptsMax: 1, delayMinMs: 0, delayMaxMs: 0, random: () => 0 };

async function filled({ archived = false } = {}): Promise<RebuildScene> {
  const scene = new RebuildScene();
  await scene.ingest(ITEMS, { archived });
  return scene;
}

function salvage(scene: RebuildScene): Salvage {
  const db = openDatabaseToRead(scene.file);
  onTestFinished(() => db.close());
  return new Salvage(db);
}

const rowIds = (salvaged: Salvage) =>
  [...salvaged.rows()].flatMap(({ rows }) => rows.map(({ ulid }) => ulid));
const indexIds = (salvaged: Salvage) => [...new Set([...salvaged.ids()].flat())].sort();

describe("damage", () => {
  it("I6: of any one page of the rows: what is lost is on that page, and its ids are known", async () => {
    const scene = await filled();
    const pages = pagesOf(scene.file, "records");
    expect(pages.length).toBeGreaterThan(20);
    for (const page of pages.filter((_, n) => n % 4 === 1)) {
      const copy = await filled();
      spoilPages(copy.file, [page]);
      const salvaged = salvage(copy);
      const found = rowIds(salvaged);
      expect(found).toEqual([...new Set(found)].sort());
      expect(found.length).toBeGreaterThan(285);
      expect(found.length).toBeLessThan(300);
      expect(indexIds(salvaged)).toEqual(IDS);
      expect(salvaged.idsKnown()).toBe("all");
      expect(salvaged.damaged()).toBe(true);
    }
  });

  it("I6: of the rows' root costs all rows, and still no id goes unnoticed", async () => {
    const scene = await filled();
    spoilPages(scene.file, [pagesOf(scene.file, "records")[0] as number]);
    await expect(scene.rebuild()).rejects.toMatchObject({
      code: "REBUILD_INCOMPLETE",
      details: { records: 0, missing: 300, missing_ulids: IDS.slice(0, 20) },
    });
  });

  it("I6: of the ids' index: other indexes name the ids, and the ledger is asked", async () => {
    const scene = await filled();
    const [root] = pagesOf(scene.file, "sqlite_autoindex_records_1") as [number];
    spoilPages(scene.file, [root]);
    const salvaged = salvage(scene);
    expect(rowIds(salvaged)).toEqual(IDS);
    expect(indexIds(salvaged)).toEqual(IDS);
    expect(salvaged.idsKnown()).toBe("some");
    scene.captured = [...IDS, idOf(900)];
    await expect(scene.rebuild()).rejects.toMatchObject({
      details: { records: 300, missing: 0, unaccounted: 1, unaccounted_ulids: [idOf(900)] },
    });
  });

  it("I6: of a leaf of the ids' index costs the ids on it only", async () => {
    const scene = await filled();
    const pages = pagesOf(scene.file, "sqlite_autoindex_records_1");
    spoilPages(scene.file, [pages[2] as number]);
    const times = pagesOf(scene.file, "records_at");
    const projects = pagesOf(scene.file, "records_project_at");
    spoilPages(scene.file, [times[0], projects[0]] as number[]);
    const known = indexIds(salvage(scene));
    expect(known.length).toBeGreaterThan(50);
    expect(known.length).toBeLessThan(300);
  });

  it("I6: of every third page leaves what the others hold, and the archive brings the rest", async () => {
    const scene = await filled({ archived: true });
    const pages = statSync(scene.file).size / 4_096;
    spoilPages(
      scene.file,
      Array.from({ length: Math.floor(pages / 3) }, (_, n) => 3 * n + 3),
    );
    scene.captured = IDS;
    const result = await scene.rebuild();
    expect(result).toMatchObject({ swapped: true, records: 300, missing: { count: 0 } });
    expect(result.old_store.state).toBe("damaged");
    expect(idsOf(scene.dump())).toEqual(IDS);
  });
});

describe("what is refused", () => {
  it("I6: a store of a newer memspool, and another program's, are left alone", async () => {
    const newer = await filled();
    const db = openRaw(newer.file);
    db.exec("PRAGMA user_version = 9999");
    db.close();
    await expect(newer.rebuild()).rejects.toMatchObject({ code: "STORE_TOO_NEW" });
    const foreign = new RebuildScene();
    await foreign.ingest([itemOf(0)]);
    for (const suffix of ["", "-wal", "-shm"]) {
      try {
        unlinkSync(foreign.file + suffix);
      } catch {
        // an empty log goes with the last connection
      }
    }
    const other = new DatabaseSync(foreign.file);
    other.exec("CREATE TABLE t (a)");
    other.close();
    await expect(foreign.rebuild()).rejects.toMatchObject({ details: { reason: "foreign" } });
    expect(foreign.storeNames().filter((name) => name.includes("rebuilt"))).toEqual([]);
  });

  it("I6: a store that another process writes to all the time, and one behind a symlink", async () => {
    const scene = await filled();
    const { file, fs, clock } = scene;
    const writer = openRaw(file);
    writer.exec("BEGIN IMMEDIATE");
    const open = () => SqliteRebuild.open({ file, fs, clock, busyRetry: NO_WAIT });
    await expect(open()).rejects.toMatchObject({ details: { reason: "busy" } });
    writer.exec("ROLLBACK");
    const other = new RebuildScene();
    await other.ingest([itemOf(0)]);
    unlinkSync(other.file);
    symlinkSync(file, other.file);
    await expect(other.rebuild()).rejects.toMatchObject({ code: "UNSAFE_PATH" });
  });

  it("I6: a file that took the old one's place meanwhile is not thrown away", async () => {
    const scene = await filled();
    const { file } = scene;
    const requireLease = () => {
      unlinkSync(file);
      writeFileSync(file, "another one");
    };
    await expect(scene.rebuild({}, { requireLease })).rejects.toMatchObject({
      details: { reason: "replaced" },
    });
    expect(statSync(file).size).toBe("another one".length);
  });

  it("I6: a store that somebody makes while the new one is closed is not thrown away", async () => {
    const scene = new RebuildScene();
    scene.append(itemOf(0));
    scene.fs = {
      ...nodeDurableFsSync,
      openRead: (path) => {
        if (path.includes(".rebuilt-")) connect(scene.file).close();
        return nodeDurableFsSync.openRead(path);
      },
    };
    await expect(scene.rebuild()).rejects.toMatchObject({ details: { reason: "replaced" } });
    const names = scene.storeNames();
    expect(names).toContain("memspool.db");
    expect(names.filter((name) => /rebuilt|before|intent/.test(name))).toEqual([]);
  });

  it("I6: an empty file, which nobody can lock, is not thrown away once it is a store", async () => {
    const scene = await filled();
    for (const name of scene.storeNames()) unlinkSync(join(dirname(scene.file), name));
    writeFileSync(scene.file, "");
    const requireLease = () => connect(scene.file).close();
    await expect(scene.rebuild({}, { requireLease })).rejects.toMatchObject({
      details: { reason: "replaced" },
    });
    expect(statSync(scene.file).size).toBeGreaterThan(0);
  });
});
