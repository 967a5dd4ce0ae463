import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { MemspoolError } from "../../../src/errors.ts";
import { INTENT_NAME } from "../../../src/store/sqlite/replace-database.ts";
import { itemOf } from "../../contract/store-bench.ts";
import { mortalFs } from "../../store/mortal-fs.ts";
import { openSqlite } from "../../store/open-sqlite.ts";
import { BUILT_ENTRY } from "../../support/built-program.ts";
import { addCrashRow, LONG_FORM } from "../../support/crash-table.ts";
import { faultyFsSync } from "../../support/faulty-fs.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import {
  countDamage,
  type Damage,
  damage,
  NO_DAMAGE,
  type Row,
} from "../../support/stored-truth.ts";
import { needStrace } from "../../support/strace.ts";
import { RebuildScene } from "./rebuild-scene.ts";

const ITEMS = Array.from({ length: 12 }, (_, n) => itemOf(n));
const PENDING = itemOf(20);
const OLD = ITEMS.map(rowOf);
const NEW = [...OLD, rowOf(PENDING)];

function rowOf({ ulid, record }: { ulid: string; record: { surface: string } }): Row {
  return { ulid, surface: record.surface };
}

async function sceneWithPending(): Promise<RebuildScene> {
  const scene = new RebuildScene();
  await scene.ingest(ITEMS);
  scene.append(PENDING);
  return scene;
}

/** Which of the two stores the next process finds, and what that one lacks. */
async function storeAfter(file: string): Promise<{ which: string; found: Damage }> {
  const store = await openSqlite(file);
  const rows = (await store.timeline({ filter: {}, limit: 100, order: "oldest" })).map(rowOf);
  for (const check of await store.check()) expect(check).toMatchObject({ ok: true });
  await store.close();
  const isNew = rows.length === NEW.length;
  const kept = isNew ? NEW : OLD;
  const which = isNew ? "new" : "old";
  return {
    which: rows.length === kept.length ? which : `${rows.length} rows`,
    found: damage(kept, rows),
  };
}

it("I6: a rebuild that dies before any of its calls leaves the old store or the new one, whole", async () => {
  const stride = LONG_FORM ? 1 : 3;
  const outcomes: string[] = [];
  const harm: Damage[] = [];
  for (let count = 0; ; count += stride) {
    const scene = await sceneWithPending();
    const { fs, died } = mortalFs(count);
    scene.fs = fs;
    await scene.rebuild().catch((error) => error);
    if (!died()) break;
    const { which, found } = await storeAfter(scene.file);
    outcomes.push(which);
    harm.push(found);
    // And the next rebuild clears up what the dead one left.
    if (count % (stride * 5) === 0) {
      const next = Object.assign(Object.create(scene) as RebuildScene, { fs: faultyFsSync().fs });
      expect(await next.rebuild()).toMatchObject({ swapped: true, records: 13 });
      expect(scene.storeNames().filter((name) => /rebuilt|intent/.test(name))).toEqual([]);
    }
  }
  addCrashRow({
    rig: "die at every step",
    operation: "rebuild",
    fault: "killed before each file call",
    tried: harm.length,
    ...countDamage(harm),
  });
  expect(harm).toEqual(harm.map(() => NO_DAMAGE));
  expect(new Set(outcomes)).toEqual(new Set(["old", "new"]));
  expect(outcomes.filter((which) => which === "old").length).toBeGreaterThan(5);
});

it.each(["EIO", "ENOSPC", "EMFILE", "EROFS"])(
  "I6: a rebuild whose every single call may fail with %s says so by a code, and a store is there",
  async (errno) => {
    const harm: Damage[] = [];
    const reference = await sceneWithPending();
    const counting = faultyFsSync();
    reference.fs = counting.fs;
    await reference.rebuild();
    const methods = counting.methods();
    const stride = LONG_FORM ? 1 : 7;
    for (let at = 0; at < methods.length; at += stride) {
      const method = methods[at] as string;
      const nth = methods.slice(0, at + 1).filter((each) => each === method).length;
      const scene = await sceneWithPending();
      const { fs, fail } = faultyFsSync();
      scene.fs = fs;
      fail({ method, nth, errno });
      const outcome = await scene.rebuild().catch((error) => error);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(MemspoolError);
      const { which, found } = await storeAfter(scene.file);
      // What could not be read of the queue stays there, and the rows are those of before.
      const isWhole = !(outcome instanceof Error) && outcome.unread_envelopes === 0;
      expect(isWhole ? ["new"] : ["old", "new"]).toContain(which);
      harm.push(found);
    }
    addCrashRow({
      rig: "fail every step",
      operation: "rebuild",
      fault: errno,
      tried: harm.length,
      ...countDamage(harm),
    });
    expect(harm).toEqual(harm.map(() => NO_DAMAGE));
    expect(harm.length).toBeGreaterThan(10);
  },
);

it("I6: the program, killed at any link, rename or unlink, leaves the old store or the new one", async (context) => {
  needStrace(context);
  const scene = await sceneWithPending();
  const seen = new Set<string>();
  const harm: Damage[] = [];
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
      const { which, found } = await storeAfter(file);
      expect(existsSync(join(home, "store", INTENT_NAME))).toBe(false);
      seen.add(which);
      if (finished) break;
      harm.push(found);
    }
  }
  addCrashRow({
    rig: "die at every step",
    operation: "memspool rebuild",
    fault: "SIGKILL at each link, rename and unlink",
    tried: harm.length,
    ...countDamage(harm),
  });
  expect(harm).toEqual(harm.map(() => NO_DAMAGE));
  expect(harm.length).toBeGreaterThan(5);
  expect([...seen].sort()).toEqual(["new", "old"]);
});
