import { expect, it } from "vitest";
import { renewIndex } from "../../../src/store/sqlite/renew-index.ts";
import { agedItem, ageIndex, expectRenewed, expectSound } from "../../store/aged-index.ts";
import { connect, openSqlite } from "../../store/open-sqlite.ts";
import { RebuildScene } from "./rebuild-scene.ts";

it.each([
  ["not renewed yet", 0],
  ["half renewed", 1],
])(
  "I6: a rebuild of a store whose index is %s has the new index and nothing left to do",
  async (_, steps) => {
    const scene = new RebuildScene();
    await scene.ingest(Array.from({ length: 20 }, (_, n) => agedItem(n)));
    const old = connect(scene.file);
    old.write(() => ageIndex(old.db));
    for (let step = 0; step < steps; step++) renewIndex(old, { rowsMax: 10 });
    old.close();
    await scene.rebuild();
    const connection = connect(scene.file);
    expectRenewed(connection);
    expect(renewIndex(connection)).toMatchObject({ state: "none" });
    const store = await openSqlite(scene.file);
    await expectSound(store);
    expect((await store.stats()).records).toBe(20);
  },
);
