import { describe, expect, it } from "vitest";
import { checkConnection } from "../../src/store/sqlite/check.ts";
import { commitItems } from "../../src/store/sqlite/commit.ts";
import type { Connection } from "../../src/store/sqlite/connection.ts";
import { forgetRecords } from "../../src/store/sqlite/forget.ts";
import { FrequencyCache } from "../../src/store/sqlite/frequencies.ts";
import { prepareItem } from "../../src/store/sqlite/prepared-item.ts";
import { renewIndex } from "../../src/store/sqlite/renew-index.ts";
import { findCandidates } from "../../src/store/sqlite/search.ts";
import { readQuestion, termsOf } from "../../src/text/question.ts";
import { idOf } from "../contract/store-bench.ts";
import {
  agedItem,
  agedStore,
  expectRenewed,
  expectSound,
  hits,
  watchRenewals,
} from "./aged-index.ts";
import { connect, openSqlite } from "./open-sqlite.ts";

const NOW = "2026-03-01T09:30:00.000Z";
const REQUEST = idOf(900);

function commit(connection: Connection, ...numbers: number[]): void {
  const items = numbers.map((n) => prepareItem(agedItem(n)));
  connection.write(() => commitItems(connection, items, NOW));
}

function forget(connection: Connection, ...numbers: number[]): void {
  const order = {
    request: REQUEST,
    ulids: numbers.map(idOf),
    forgottenAt: NOW,
    reason: "requested",
  };
  connection.write(() => forgetRecords(connection, order));
}

function renewAll(connection: Connection, rowsMax: number): number {
  for (let steps = 1; ; steps++) {
    if (renewIndex(connection, { rowsMax }).state !== "under_way") return steps;
  }
}

function asked(connection: Connection, query: string): number {
  const terms = termsOf(readQuestion(query).words);
  const ask = { terms, filter: {}, countMax: 100 };
  return findCandidates(connection, new FrequencyCache(), ask).candidates.length;
}

const detail = (connection: Connection) =>
  checkConnection(connection).find(({ name }) => name === "index_terms");

describe("an index of an earlier text pipeline", () => {
  it("S4: is made anew in bounded steps, each row once, and told in words meanwhile", async () => {
    const { file, connection } = agedStore(25);
    const seen = watchRenewals(connection);
    expect(detail(connection)).toEqual({
      name: "index_terms",
      ok: true,
      detail: "version 1, renewed when a server ingests",
    });
    expect(asked(connection, "walk")).toBe(0);
    expect(renewIndex(connection, { rowsMax: 10 })).toEqual({
      state: "under_way",
      from: 1,
      to: 2,
      left: 15,
    });
    expect(detail(connection)).toMatchObject({ ok: true, detail: "being renewed, 40 %" });
    await expectSound(await openSqlite(file));
    // What is not done yet is found by its exact form, what is done by any.
    expect([asked(connection, "walking"), asked(connection, "walk")]).toEqual([25, 10]);
    expect(renewAll(connection, 10)).toBe(2);
    expect(seen()).toEqual(Array.from({ length: 25 }, (_, n) => n + 1));
    expect(detail(connection)).toMatchObject({ ok: true, detail: "version 2" });
    expectRenewed(connection);
    await expectSound(await openSqlite(file));
    expect(renewIndex(connection)).toMatchObject({ state: "none" });
    expect(seen()).toHaveLength(25);
  });

  it("S4: rows that come meanwhile are ours already, and are not done again", async () => {
    const { file, connection } = agedStore(12);
    const seen = watchRenewals(connection);
    renewIndex(connection, { rowsMax: 5 });
    commit(connection, 100, 101);
    renewIndex(connection, { rowsMax: 5 });
    commit(connection, 102);
    renewAll(connection, 5);
    expect(seen()).toEqual(Array.from({ length: 12 }, (_, n) => n + 1));
    expectRenewed(connection);
    await expectSound(await openSqlite(file));
  });

  it("S4: a last step that ends with the last row says so at once or finds nothing left", () => {
    for (const rowsMax of [4, 8, 9]) {
      const { connection } = agedStore(8);
      renewAll(connection, rowsMax);
      expectRenewed(connection);
    }
  });

  it("S6: rows forgotten meanwhile, done or not, stay forgotten; a number given again does no harm", async () => {
    const { file, connection } = agedStore(12);
    renewIndex(connection, { rowsMax: 5 });
    forget(connection, 1, 8, 11);
    expect(hits(connection, "through")).toBe(9);
    commit(connection, 100); // takes the last row's number
    await expectSound(await openSqlite(file));
    renewAll(connection, 5);
    expectRenewed(connection);
    const store = await openSqlite(file);
    await expectSound(store);
    expect(await store.scrub({ isStopping: () => false })).toBe("clean");
    expect([...(await store.lookup([idOf(8)])).values()]).toMatchObject([{ state: "forgotten" }]);
    expect((await store.stats()).records).toBe(10);
  });

  it("I3: two connections share the work", async () => {
    const { file, connection } = agedStore(30);
    const other = connect(file);
    const seen = [watchRenewals(connection), watchRenewals(other)];
    for (let states = ["under_way"]; states.includes("under_way"); ) {
      states = [connection, other].map((one) => renewIndex(one, { rowsMax: 4 }).state);
    }
    const [mine = [], theirs = []] = seen.map((ids) => ids());
    expect([mine.length, theirs.length]).toEqual([16, 14]);
    expect([...mine, ...theirs].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 30 }, (_, n) => n + 1),
    );
    expectRenewed(connection);
    await expectSound(await openSqlite(file));
  });

  it.each([
    ["that a newer memspool filled", "UPDATE meta SET value = '3' WHERE name LIKE 'text_pipe%'"],
    ["that a newer memspool renews", "INSERT INTO meta VALUES ('reindex_to', '3')"],
  ])("S4: one %s is left alone, and doctor says so", async (_, sql) => {
    const { file, connection } = agedStore(5);
    connection.db.exec(sql);
    const seen = watchRenewals(connection);
    expect(renewIndex(connection)).toMatchObject({ state: "none" });
    expect(seen()).toEqual([]);
    expect(detail(connection)).toMatchObject({ ok: false });
    expect(detail(connection)?.detail).toMatch(/this memspool searches by 2$/);
    await expectSound(await openSqlite(file));
  });

  it("S4: a renewal for a version in between begins again from the first row", () => {
    const { connection } = agedStore(9);
    renewIndex(connection, { rowsMax: 4 });
    connection.db.exec("UPDATE meta SET value = '1' WHERE name = 'reindex_to'");
    const seen = watchRenewals(connection);
    renewAll(connection, 4);
    expect(seen()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expectRenewed(connection);
  });

  it("I8: a row that is no record is left for verify to tell, and stops nothing", async () => {
    const { file, connection } = agedStore(6);
    connection.db.exec("UPDATE records SET record = '{torn' WHERE id = 3");
    renewAll(connection, 2);
    expect(hits(connection, "walk")).toBe(5);
    const { entries } = await (await openSqlite(file)).auditRows({ limit: 100, hashes: true });
    expect(entries.filter(({ fault }) => fault)).toEqual([
      { ulid: idOf(2), kind: "record", fault: "not_a_record" },
    ]);
  });

  it("S4: a copy that is made meanwhile goes on where the store was", async () => {
    const { file, connection } = agedStore(10);
    renewIndex(connection, { rowsMax: 4 });
    const copy = `${file}.copy`;
    await (await openSqlite(file)).copyTo(copy);
    const copied = connect(copy);
    const seen = watchRenewals(copied);
    renewAll(copied, 4);
    expect(seen()).toEqual([5, 6, 7, 8, 9, 10]);
    expectRenewed(copied);
  });
});
