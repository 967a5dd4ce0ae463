import { readFileSync, rmSync } from "node:fs";
import { expect, it } from "vitest";
import { nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { placeOrder, settleOrder } from "../../../src/queue/forget-order.ts";
import { idOf, itemOf } from "../../contract/store-bench.ts";
import { openRaw, openSqlite } from "../../store/open-sqlite.ts";
import { idsOf, RebuildScene, spoilPages } from "./rebuild-scene.ts";

const AT = "2026-04-01T00:00:00.000Z";
const REQUEST = idOf(900_000);

/** Rows 0 to 5 in store and archive, 6 spilled, 7 pending. */
async function filled(): Promise<RebuildScene> {
  const scene = new RebuildScene();
  const keyed = { idempotency_key: "k", surface: "said once" };
  await scene.ingest([0, 1, 2, 3, 4].map((n) => itemOf(n)));
  await scene.ingest([itemOf(5, keyed)]);
  scene.spill([itemOf(6)]);
  scene.append(itemOf(7));
  return scene;
}

/** As the purge's transaction; the files are left, as if it had died then. */
async function forgetInStore(scene: RebuildScene, ulids: readonly string[]): Promise<void> {
  const store = await openSqlite(scene.file, { clock: scene.clock });
  await store.forget({ request: REQUEST, ulids, forgottenAt: AT, reason: "requested" });
  await store.close();
}

it("S6: a rebuild carries tombstones over and takes nothing from archive, spill or queue", async () => {
  const scene = await filled();
  await forgetInStore(scene, [idOf(1), idOf(5), idOf(6), idOf(7)]);
  const result = await scene.rebuild();
  expect(result).toMatchObject({ records: 4, forgotten: 4, missing: { count: 0 } });
  expect(idsOf(scene.dump())).toEqual([0, 2, 3, 4].map(idOf));
  const store = await openSqlite(scene.file, { clock: scene.clock });
  const known = await store.lookup([idOf(1), idOf(7)]);
  expect([...known.values()]).toEqual([
    { state: "forgotten", forgottenAt: AT, reason: "requested" },
    { state: "forgotten", forgottenAt: AT, reason: "requested" },
  ]);
  // The same turn under a new id is still known.
  const again = await store.commitBatch([
    itemOf(9, { idempotency_key: "k", surface: "said once" }),
  ]);
  expect(again.forgotten).toEqual([idOf(9)]);
  await store.close();
});

it("S6: a store from before there were tombstones is rebuilt like any other", async () => {
  const scene = await filled();
  const db = openRaw(scene.file);
  db.exec("DROP TABLE tombstones; PRAGMA user_version = 2");
  db.close();
  const result = await scene.rebuild();
  expect(result).toMatchObject({ records: 8, forgotten: 0, old_store: { state: "whole" } });
});

it.each(["destroyed", "gone"])(
  "S6: with the store %s, orders beside it keep their ids from coming back",
  async (fate) => {
    const scene = await filled();
    scene.captured = [0, 1, 2, 3, 4, 5, 6, 7].map(idOf);
    const order = (request: string, ...ulids: string[]) =>
      placeOrder(nodeDurableFsSync, scene.layout, { request, at: AT, reason: "requested", ulids });
    order(REQUEST, idOf(2), idOf(6));
    settleOrder(nodeDurableFsSync, scene.layout, REQUEST);
    order(idOf(900_001), idOf(3));
    const size = readFileSync(scene.file).length / 4_096;
    if (fate === "gone") rmSync(scene.file);
    else
      spoilPages(
        scene.file,
        Array.from({ length: size }, (_, n) => n + 1),
      );
    const result = await scene.rebuild();
    expect(result).toMatchObject({ records: 5, forgotten: 3, unaccounted: { count: 0 } });
    expect(idsOf(scene.dump())).toEqual([0, 1, 4, 5, 7].map(idOf));
  },
);
