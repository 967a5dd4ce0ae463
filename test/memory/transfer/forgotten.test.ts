import { join } from "node:path";
import { expect, it } from "vitest";
import { exportRecords } from "../../../src/memory/transfer/export.ts";
import { importRecords } from "../../../src/memory/transfer/import.ts";
import { nodeDurableFs } from "../../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { listOrders, placeOrder } from "../../../src/queue/forget-order.ts";
import { generateUlid } from "../../../src/record/record-id.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { backUp, partsFor, restore } from "../../support/backup-scene.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { MemoryBench } from "../../support/memory-bench.ts";

const AT = "2026-04-01T00:00:00.000Z";

async function exported(bench: MemoryBench, hidden?: ReadonlySet<string>): Promise<string> {
  let text = "";
  const sink = {
    write: async (piece: string) => {
      text += piece;
    },
  };
  const { layout, clock, store } = bench;
  const parts = { fs: nodeDurableFs, layout, clock, version: "0", store };
  await exportRecords(parts, sink, hidden && { hidden });
  return text;
}

async function* chunksOf(text: string) {
  yield text;
}

function importing(bench: MemoryBench, text: string, underWay: readonly string[] = []) {
  const parts = {
    fs: nodeDurableFs,
    layout: bench.layout,
    queue: bench.queue,
    store: bench.store,
    beingForgotten: async () => new Set(underWay),
    project: "",
    textBytesMax: 1_048_576,
    makeRoom: async () => {},
    knownKeys: async () => new Set<string>(),
  };
  return importRecords(parts, chunksOf(text));
}

function forgetIn(bench: MemoryBench, ulids: readonly string[]) {
  return bench.store.forget({ request: generateUlid(), ulids, forgottenAt: AT, reason: "r" });
}

it("S6: an import says which records were forgotten here and does not bring them back", async () => {
  const bench = await MemoryBench.open();
  const [one = "", two = "", three = ""] = await bench.captureStored("one", "two", "three");
  const text = await exported(bench);
  await forgetIn(bench, [one]);
  const result = await importing(bench, text, [two]);
  expect(result).toMatchObject({ captured: 0, already_here: 1, forgotten: 2, conflict_count: 0 });
  expect(await bench.queue.pendingCount()).toBe(0);
  const elsewhere = await MemoryBench.open();
  expect((await importing(elsewhere, text)).captured).toBe(3);
  expect((await bench.memory.receipt(one)).state).toBe("forgotten");
  expect((await bench.memory.receipt(three)).state).toBe("ingested");
});

it("S6: an export leaves out what is being forgotten, under each of its ids", async () => {
  const bench = await MemoryBench.open();
  const same = { surface: "said twice", idempotency_key: "k" };
  const [one = "", two = "", stays = ""] = await bench.captureStored(same, same, "stays");
  const lines = (await exported(bench, new Set([one]))).trimEnd().split("\n").slice(1);
  expect(lines.map((line) => JSON.parse(line).ulid)).toEqual([stays]);
  expect((await exported(bench)).includes(two)).toBe(true);
});

it("S6: a backup takes tombstones and orders along, and is noted for whoever forgets later", async () => {
  const bench = await MemoryBench.open();
  const [one = "", two = ""] = await bench.captureStored("one", "two");
  await forgetIn(bench, [one]);
  const request = generateUlid();
  placeOrder(nodeDurableFsSync, bench.layout, { request, at: AT, reason: "r", ulids: [two] });
  const target = join(freshDirectory(), "backup");
  await backUp(partsFor(bench.home), target);
  const { remains } = await bench.memory.forget({ filter: { project: "*" } });
  expect(remains.backups).toEqual([]);
  const [three = ""] = await bench.capture("captured after it");
  expect((await bench.memory.forget({ ulid: three })).remains.backups).toEqual([]);
  expect((await bench.memory.forget({ ulid: two })).remains.backups).toMatchObject([
    { directory: target, found: true },
  ]);
  const home = join(freshDirectory(), "restored");
  await restore(partsFor(home), target);
  const { layout, storeFile } = partsFor(home);
  expect(listOrders(nodeDurableFsSync, layout.forgetDir)).toEqual([request]);
  const store = await openStore({ file: storeFile });
  expect((await store.lookup([one])).get(one)?.state).toBe("forgotten");
  await store.close();
});
