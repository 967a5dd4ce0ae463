import { describe, expect, it } from "vitest";
import type { CandidateQuery } from "../../src/store/memory-store.ts";
import { checkConnection } from "../../src/store/sqlite/check.ts";
import { commitItems } from "../../src/store/sqlite/commit.ts";
import type { Connection } from "../../src/store/sqlite/connection.ts";
import { FrequencyCache } from "../../src/store/sqlite/frequencies.ts";
import { prepareItem } from "../../src/store/sqlite/prepared-item.ts";
import { findCandidates } from "../../src/store/sqlite/search.ts";
import { idOf, itemOf } from "../contract/store-bench.ts";
import { bm25Order } from "../support/bm25-order.ts";
import { connect, freshStoreFile, openRaw } from "./open-sqlite.ts";

const NOW = "2026-03-01T09:30:00.000Z";

function filled(texts: readonly string[]): { connection: Connection; file: string } {
  const file = freshStoreFile();
  const connection = connect(file);
  const items = texts.map((surface, n) =>
    prepareItem(itemOf(n, { surface, project: `p${n % 2}` })),
  );
  connection.write(() => commitItems(connection, items, NOW));
  return { connection, file };
}

function found(
  connection: Connection,
  terms: readonly string[],
  postingCountMax: number,
  query: Partial<CandidateQuery> = {},
): string[] {
  const asked = { terms, filter: {}, countMax: 100, ...query };
  const set = findCandidates(connection, new FrequencyCache(), asked, postingCountMax);
  return set.candidates.map(({ ulid }) => ulid);
}

describe("the posting budget", () => {
  const texts = ["rare common", "common", "some common", "some common", "common", "common"];

  it("S4: rare terms are taken first, common ones while they fit", () => {
    const { connection } = filled(texts);
    const terms = ["common", "some", "rare", "unknown"];
    expect(found(connection, terms, 9).sort()).toEqual([0, 1, 2, 3, 4, 5].map(idOf));
    expect(found(connection, terms, 8).sort()).toEqual([0, 2, 3].map(idOf));
    expect(found(connection, terms, 2)).toEqual([idOf(0)]);
  });

  it("S4: when even the rarest term is beyond it, the newest records come", () => {
    const { connection } = filled(texts);
    expect(found(connection, ["common"], 5, { countMax: 3 })).toEqual([5, 4, 3].map(idOf));
    const filter = { projects: ["p1"] };
    expect(found(connection, ["common"], 5, { filter })).toEqual([5, 3, 1].map(idOf));
    expect(found(connection, ["common"], 5, { ulidMax: idOf(1) })).toEqual([1, 0].map(idOf));
  });

  it("S4: a count of none finds none", () => {
    const { connection } = filled(texts);
    expect(found(connection, ["common"], 9, { countMax: 0 })).toEqual([]);
  });
});

it("S4: the shared scorer weighs repeats and lengths as SQLite's own bm25 does", () => {
  const texts = Array.from({ length: 60 }, (_, n) =>
    Array.from({ length: 5 + ((n * 7) % 23) }, (_, k) => `w${(n * k + k) % 17}`).join(" "),
  );
  const { connection } = filled(texts);
  for (const term of ["w3", "w5", "w11"]) {
    const rows = connection
      .statement(
        `SELECT r.ulid, -bm25(records_fts) AS score FROM records_fts
         JOIN records r ON r.id = records_fts.rowid WHERE records_fts MATCH ?`,
      )
      .all(term);
    const query = { terms: [term], filter: {}, countMax: 100 };
    const set = findCandidates(connection, new FrequencyCache(), query);
    const scores = new Map(bm25Order(set, term).map(({ ulid, score }) => [ulid, score]));
    const theirs = rows.map((row) => [row.ulid as string, row.score as number] as const);
    expect(theirs.length).toBeGreaterThan(20);
    // The term's own weight differs, and is the same factor for every record.
    const [first] = theirs;
    const factor = (scores.get(first?.[0] ?? "") ?? 0) / (first?.[1] ?? 1);
    for (const [ulid, score] of theirs)
      expect((scores.get(ulid) ?? 0) / score / factor).toBeCloseTo(1, 9);
  }
});

describe("remembered frequencies", () => {
  it("S4: a rare term's count is current, a common one's may lag by a hundredth", () => {
    const { connection } = filled(Array.from({ length: 2_500 }, () => "common").concat("rare"));
    const cache = new FrequencyCache();
    const counts = (records: number) =>
      Object.fromEntries(cache.count(connection, ["common", "rare"], records));
    expect(counts(2_501)).toEqual({ common: 2_500, rare: 1 });
    const more = prepareItem(itemOf(9_000, { surface: "rare common" }));
    connection.write(() => commitItems(connection, [more], NOW));
    expect(counts(2_502)).toEqual({ common: 2_500, rare: 2 });
    expect(counts(2_600)).toEqual({ common: 2_501, rare: 2 });
  });
});

describe("the checks", () => {
  const failing = (connection: Connection, bytesMax?: number) =>
    checkConnection(connection, bytesMax)
      .filter(({ ok }) => !ok)
      .map(({ name }) => name);

  it("S2: notice a setting that was lost", () => {
    const { connection } = filled(["one"]);
    expect(failing(connection)).toEqual([]);
    connection.db.exec("PRAGMA synchronous = NORMAL");
    expect(failing(connection)).toEqual(["synchronous"]);
  });

  it("I8: notice an index that lacks a record", () => {
    const { connection, file } = filled(["one", "two"]);
    openRaw(file).exec("DELETE FROM records_fts WHERE rowid = 1");
    expect(failing(connection)).toEqual(["counts"]);
  });

  it("S4: notice an index that a newer version of the pipeline filled", () => {
    const { connection, file } = filled(["one"]);
    openRaw(file).exec("UPDATE meta SET value = '3' WHERE name = 'text_pipeline_version'");
    expect(failing(connection)).toEqual(["index_terms"]);
  });

  it("H1: say so when the file is too large to be looked at in time", () => {
    const { connection } = filled(["one"]);
    const checks = checkConnection(connection, 1);
    expect(checks.find(({ name }) => name === "integrity")?.detail).toMatch(/^not looked at/);
    expect(checks.map(({ name }) => name)).not.toContain("counts");
  });
});
