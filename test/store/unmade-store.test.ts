import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openStore } from "../../src/store/open-store.ts";
import { emptyUntilMade } from "../../src/store/unmade-store.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { fakeReader } from "./channel-worker.ts";
import { freshStoreFile } from "./open-sqlite.ts";

it("Q13: questions about a store that was never made are answered, and make none", async () => {
  const file = freshStoreFile();
  const never = fakeReader(() => {
    throw new Error("was asked");
  });
  const reader = emptyUntilMade(() => existsSync(file), never);
  expect(await reader.get(idOf(1))).toBeUndefined();
  expect((await reader.lookup([idOf(1)])).size).toBe(0);
  expect(await reader.candidates({ terms: ["a"], filter: {}, countMax: 5 })).toEqual({
    candidates: [],
    newest: "",
    recordCount: 0,
    termCountMean: 0,
    documentFrequency: { a: 0 },
  });
  expect(await reader.timeline({ filter: {}, limit: 5 })).toEqual([]);
  expect(await reader.facets("tags", {}, 5)).toEqual([]);
  expect(await reader.stats()).toMatchObject({ records: 0, bytes: 0 });
  expect(await reader.check()).toEqual([]);
  expect(await reader.auditRows({ limit: 5, hashes: true })).toEqual({ entries: [] });
  expect(await reader.auditCounts()).toMatchObject({ records: 0, totalRecords: 0, indexed: 0 });
  expect((await reader.auditIndex({ of: 5, first: 0, count: 5 })).sampled).toBe(0);
  expect(existsSync(dirname(file))).toBe(false);
});

it("S5: as soon as the ingester has made the store it answers", async () => {
  const file = freshStoreFile();
  const store = await openStore({ file });
  onTestFinished(() => store.close());
  await store.commitBatch([itemOf(1)]);
  const reader = emptyUntilMade(() => existsSync(file), store);
  expect((await reader.get(idOf(1)))?.ulid).toBe(idOf(1));
  expect((await reader.lookup([idOf(1)])).size).toBe(1);
  expect(await reader.timeline({ filter: {}, limit: 5 })).toHaveLength(1);
  expect(await reader.facets("projects", {}, 5)).toHaveLength(1);
  expect(await reader.stats()).toMatchObject({ records: 1 });
  expect((await reader.check()).every(({ ok }) => ok)).toBe(true);
  expect((await reader.auditRows({ limit: 5, hashes: true })).entries).toHaveLength(1);
  expect(await reader.auditCounts()).toMatchObject({ records: 1 });
  expect((await reader.auditIndex({ of: 5, first: 0, count: 5 })).sampled).toBe(1);
});
