import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { MemspoolError } from "../../../src/errors.ts";
import { INTENT_NAME } from "../../../src/store/sqlite/replace-database.ts";
import { idOf, itemOf } from "../../contract/store-bench.ts";
import { mortalFs } from "../../store/mortal-fs.ts";
import { openSqlite } from "../../store/open-sqlite.ts";
import { BUILT_ENTRY } from "../../support/built-program.ts";
import { addCrashRow, LONG_FORM } from "../../support/crash-table.ts";
import { faultyFsSync } from "../../support/faulty-fs.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { needStrace } from "../../support/strace.ts";
import { RebuildScene } from "./rebuild-scene.ts";

const ITEMS = Array.from({ length: 12 }, (_, n) => itemOf(n));
const PENDING = itemOf(20);
const OLD_IDS = ITEMS.map(({ ulid }) => ulid);
const NEW_IDS = [...OLD_IDS, PENDING.ulid];

async function sceneWithPending(): Promise<RebuildScene> {
  const scene = new RebuildScene();
  await scene.ingest(ITEMS);
  scene.append(PENDING);
  return scene;
}

/** What the next process finds; each text must be the one that was stored. */
async function idsAfterOpening(file: string): Promise<string[]> {
  const store = await openSqlite(file);
  const rows = await store.timeline({ filter: {}, limit: 100, order: "oldest" });
  for (const check of await store.check()) expect(check).toMatchObject({ ok: true });
  await store.close();
  for (const { ulid, record } of rows) {
    expect(record.surface).toBe(
      [...ITEMS, PENDING].find((item) => item.ulid === ulid)?.record.surface,
    );
  }
  return rows.map(({ ulid }) => ulid);
}

it("I6: a rebuild that dies before any of its calls leaves the old store or the new one, whole", async () => {
  const stride = LONG_FORM ? 1 : 3;
  const outcomes = { old: 0, new: 0 };
  for (let count = 0; ; count += stride) {
    const scene = await sceneWithPending();
    const { fs, died } = mortalFs(count);
    scene.fs = fs;
    await scene.rebuild().catch((error) => error);
    if (!died()) break;
    const found = await idsAfterOpening(scene.file);
    const outcome = found.length === NEW_IDS.length ? "new" : "old";
    expect(found).toEqual(outcome === "new" ? NEW_IDS : OLD_IDS);
    outcomes[outcome]++;
    // And the next rebuild clears up what the dead one left.
    if (count % (stride * 5) === 0) {
      const next = Object.assign(Object.create(scene) as RebuildScene, { fs: faultyFsSync().fs });
      expect(await next.rebuild()).toMatchObject({ swapped: true, records: 13 });
      expect(scene.storeNames().filter((name) => /rebuilt|intent/.test(name))).toEqual([]);
    }
  }
  expect(outcomes.old).toBeGreaterThan(5);
  expect(outcomes.new).toBeGreaterThan(0);
  addCrashRow({
    rig: "die at every step",
    operation: "rebuild",
    fault: "killed before each file call",
    tried: outcomes.old + outcomes.new,
    lost: 0,
    altered: 0,
    twice: 0,
  });
});

it.each(["EIO", "ENOSPC", "EMFILE", "EROFS"])(
  "I6: a rebuild whose every single call may fail with %s says so by a code, and a store is there",
  async (errno) => {
    let tried = 0;
    const reference = await sceneWithPending();
    const counting = faultyFsSync();
    reference.fs = counting.fs;
    await reference.rebuild();
    const methods = counting.methods();
    const stride = LONG_FORM ? 1 : 7;
    for (let at = tried; at < methods.length; at += stride) {
      const method = methods[at] as string;
      const nth = methods.slice(0, at + 1).filter((each) => each === method).length;
      const scene = await sceneWithPending();
      const { fs, fail } = faultyFsSync();
      scene.fs = fs;
      fail({ method, nth, errno });
      const outcome = await scene.rebuild().catch((error) => error);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(MemspoolError);
      const found = await idsAfterOpening(scene.file);
      expect([OLD_IDS, NEW_IDS]).toContainEqual(found);
      if (!(outcome instanceof Error)) expect(found).toEqual(NEW_IDS);
      tried++;
    }
    expect(tried).toBeGreaterThan(10);
    addCrashRow({
      rig: "fail every step",
      operation: "rebuild",
      fault: errno,
      tried,
      lost: 0,
      altered: 0,
      twice: 0,
    });
  },
);

it("I6: the program, killed at any link, rename or unlink, leaves the old store or the new one", async (context) => {
  needStrace(context);
  const scene = await sceneWithPending();
  const seen = new Set<number>();
  let tried = 0;
  for (const call of ["link", "rename", "unlink"]) {
    for (let when = 1; when <= 20; when++) {
      const home = join(freshDirectory(), "home");
      cpSync(scene.home, home, { recursive: true });
      const { signal, status } = spawnSync(
        "strace",
        [
          "-f",
          "-qq",
          "-o",
          "/dev/null",
          "-e",
          `trace=${call}`,
          "-e",
          `inject=${call}:signal=SIGKILL:when=${when}`,
        ].concat(process.execPath, BUILT_ENTRY, "rebuild"),
        { env: { PATH: process.env.PATH, MEMSPOOL_HOME: home, UV_USE_IO_URING: "0" } },
      );
      const finished = signal === null && status === 0;
      const file = join(home, "store", "memspool.db");
      expect(readdirSync(join(home, "store"))).toContain("memspool.db");
      const found = await idsAfterOpening(file);
      expect([OLD_IDS, NEW_IDS]).toContainEqual(found);
      expect(existsSync(join(home, "store", INTENT_NAME))).toBe(false);
      seen.add(found.length);
      if (finished) break;
      tried++;
    }
  }
  expect(tried).toBeGreaterThan(5);
  expect([...seen].sort()).toEqual([12, 13]);
  expect(idOf(20)).toBe(PENDING.ulid);
  addCrashRow({
    rig: "die at every step",
    operation: "memspool rebuild",
    fault: "SIGKILL at each link, rename and unlink",
    tried,
    lost: 0,
    altered: 0,
    twice: 0,
  });
});
