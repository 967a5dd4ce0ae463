import type { DatabaseSyncInstance } from "@photostructure/sqlite";
import { expect, it } from "vitest";
import type { RowFault } from "../../src/store/memory-store.ts";
import { allAudited } from "../contract/audit-contract.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { freshStoreFile, openRaw, openSqlite } from "./open-sqlite.ts";

/** Five rows and an alias, changed behind the store's back. */
async function damaged(...statements: string[]) {
  const file = freshStoreFile();
  const store = await openSqlite(file);
  const fields = { project: "p", session_id: "s", source: "x", tags: ["one", "two"] };
  await store.commitBatch([1, 2, 3, 4, 5].map((n) => itemOf(n, { ...fields, tier: "semantic" })));
  const keyed = { surface: "keyed", idempotency_key: "key" };
  await store.commitBatch([itemOf(6, keyed), itemOf(7, keyed)]);
  const db: DatabaseSyncInstance = openRaw(file);
  db.exec("PRAGMA foreign_keys = OFF");
  for (const sql of statements) db.exec(sql);
  return store;
}

const third = `WHERE ulid = '${idOf(3)}'`;
const rowOfThird = `(SELECT id FROM records ${third})`;

const CASES: [what: string, sql: string, ulid: string, fault: RowFault][] = [
  [
    "its text changed",
    `UPDATE records SET record = replace(record, 'text 3', 'text 4') ${third}`,
    idOf(3),
    "text_changed",
  ],
  ["its hash changed", `UPDATE records SET sha256 = 'x' ${third}`, idOf(3), "text_changed"],
  [
    "its JSON was cut",
    `UPDATE records SET record = substr(record, 1, 9) ${third}`,
    idOf(3),
    "not_a_record",
  ],
  [
    "another field in its JSON",
    `UPDATE records SET record = json_set(record, '$.extra', 1) ${third}`,
    idOf(3),
    "not_a_record",
  ],
  ...[
    "project = 'q'",
    "session_id = NULL",
    "session_id = 't'",
    "role = 'user'",
    "tier = 'working'",
    "source = NULL",
    "idempotency_key = 'q'",
    "at_ms = at_ms + 1",
    "term_count = term_count + 1",
    "record = json_remove(record, '$.session_id')",
  ].map((change): [string, string, string, RowFault] => [
    change,
    `UPDATE records SET ${change} ${third}`,
    idOf(3),
    "columns_differ",
  ]),
  [
    "a tag was removed",
    `DELETE FROM record_tags WHERE tag = 'two' AND record_id = ${rowOfThird}`,
    idOf(3),
    "columns_differ",
  ],
  [
    "its index row was removed",
    `DELETE FROM records_fts WHERE rowid = ${rowOfThird}`,
    idOf(3),
    "not_indexed",
  ],
  [
    "its index row has other terms",
    `DELETE FROM records_fts WHERE rowid = ${rowOfThird};
     INSERT INTO records_fts (rowid, terms) VALUES (${rowOfThird}, 'text')`,
    idOf(3),
    "not_indexed",
  ],
  [
    "the record of an alias was removed",
    `DELETE FROM records WHERE ulid = '${idOf(6)}'`,
    idOf(7),
    "alias_of_nothing",
  ],
  [
    "an alias points elsewhere",
    `UPDATE aliases SET of = '${idOf(1)}'`,
    idOf(7),
    "alias_of_nothing",
  ],
];

it.each(CASES)("V1: a row is at fault when %s, and no other is", async (_, sql, ulid, fault) => {
  const store = await damaged(sql);
  const { entries } = await allAudited(store, 2, true);
  expect(entries.filter((entry) => entry.fault !== undefined)).toMatchObject([{ ulid, fault }]);
});

it("V1: rows that are not looked at have no fault", async () => {
  const store = await damaged(`UPDATE records SET sha256 = 'x'`, "UPDATE aliases SET sha256 = 'y'");
  const { entries } = await allAudited(store, 2, false);
  expect(entries).toHaveLength(7);
  expect(entries.some(({ fault }) => fault !== undefined)).toBe(false);
});

it("V1: the counts show what was removed or added beside the totals", async () => {
  const store = await damaged(
    `DELETE FROM records_fts WHERE rowid = ${rowOfThird}`,
    `DELETE FROM records ${third}`,
    `DELETE FROM aliases`,
  );
  expect(await store.auditCounts()).toEqual({
    records: 5,
    aliases: 0,
    indexed: 5,
    strayTags: 2,
    totalRecords: 6,
    totalAliases: 1,
  });
});

it("V1: a sampled row whose index row holds other words is noticed", async () => {
  const store = await damaged(
    `DELETE FROM records_fts WHERE rowid = ${rowOfThird};
     INSERT INTO records_fts (rowid, terms) VALUES (${rowOfThird}, 'text other one two')`,
  );
  const { sampled, faults } = await store.auditIndex({ of: 6, first: 0, count: 6 });
  expect(sampled).toBe(6);
  expect(faults).toEqual([{ ulid: idOf(3), terms: 1 }]);
  // As many words as it should have: only the words themselves tell.
  const { entries } = await allAudited(store, 10, true);
  expect(entries.filter(({ fault }) => fault !== undefined)).toEqual([]);
});
