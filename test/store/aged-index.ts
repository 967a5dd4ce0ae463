/** A store as the first text pipeline left it, and what shows that it was made anew in all records. */
import { expect } from "vitest";
import type { CommitItem, MemoryStore } from "../../src/store/memory-store.ts";
import { commitItems } from "../../src/store/sqlite/commit.ts";
import type { Connection } from "../../src/store/sqlite/connection.ts";
import type { Database } from "../../src/store/sqlite/driver.ts";
import { prepareItem } from "../../src/store/sqlite/prepared-item.ts";
import { itemOf } from "../contract/store-bench.ts";
import { connect, freshStoreFile } from "./open-sqlite.ts";

const NOW = "2026-03-01T09:30:00.000Z";

/** Found by "walk" and "garden" where words are stemmed, else by "walking" and "gardens". */
export function agedItem(n: number): CommitItem {
  return itemOf(n, { surface: `The engineer was walking through the gardens, round ${n}` });
}

/** Whole words, one term more than ours, and no words for spelling: what an older program wrote. */
export function ageIndex(db: Database): void {
  const rows = db.prepare("SELECT id, term_count, record FROM records").all();
  let grown = 0;
  for (const { id, term_count, record } of rows) {
    const { surface } = JSON.parse(record as string) as { surface: string };
    const terms = [...surface.toLowerCase().split(/\W+/).filter(Boolean), "aged"];
    db.prepare("DELETE FROM records_fts WHERE rowid = ?").run(id as number);
    db.prepare("INSERT INTO records_fts (rowid, terms) VALUES (?, ?)").run(
      id as number,
      terms.join(" "),
    );
    db.prepare("UPDATE records SET term_count = ? WHERE id = ?").run(terms.length, id as number);
    grown += terms.length - (term_count as number);
  }
  db.prepare("UPDATE totals SET terms = terms + ?").run(grown);
  db.exec("DELETE FROM words; UPDATE meta SET value = '1' WHERE name = 'text_pipeline_version'");
}

export function agedStore(count: number): {
  readonly file: string;
  readonly connection: Connection;
} {
  const file = freshStoreFile();
  const connection = connect(file);
  const items = Array.from({ length: count }, (_, n) => prepareItem(agedItem(n)));
  connection.write(() => commitItems(connection, items, NOW));
  connection.write(() => ageIndex(connection.db));
  connection.writtenWords.clear();
  return { file, connection };
}

/** Notes, from now on, whose terms this connection makes anew. */
export function watchRenewals({ db }: Connection): () => number[] {
  db.exec(`CREATE TEMP TABLE renewed (id INTEGER);
    CREATE TEMP TRIGGER note_renewal AFTER UPDATE OF term_count ON main.records
    BEGIN INSERT INTO renewed VALUES (new.id); END`);
  return () =>
    db
      .prepare("SELECT id FROM renewed ORDER BY rowid")
      .all()
      .map(({ id }) => id as number);
}

export function hits({ db }: Connection, term: string): number {
  const sql = "SELECT count(*) AS n FROM records_fts WHERE records_fts MATCH ?";
  return Number(db.prepare(sql).get(`"${term}"`)?.n);
}

/** Every row by itself, every row by its terms, and the totals. */
export async function expectSound(store: MemoryStore): Promise<void> {
  let after: string | undefined;
  do {
    const page = await store.auditRows({ limit: 100, hashes: true, ...(after && { after }) });
    expect(page.entries.filter(({ fault }) => fault !== undefined)).toEqual([]);
    after = page.next;
  } while (after !== undefined);
  const counts = await store.auditCounts();
  expect([counts.indexed, counts.totalRecords]).toEqual([counts.records, counts.records]);
  const { faults } = await store.auditIndex({
    of: counts.records,
    first: 0,
    count: counts.records,
  });
  expect(faults).toEqual([]);
}

export function expectRenewed(connection: Connection): void {
  const { db } = connection;
  const meta = db.prepare("SELECT value FROM meta WHERE name = 'text_pipeline_version'").get();
  expect(meta?.value).toBe("2");
  expect(db.prepare("SELECT name FROM meta WHERE name LIKE 'reindex%'").all()).toEqual([]);
  const rows = Number(db.prepare("SELECT count(*) AS n FROM records").get()?.n);
  expect([hits(connection, "walk"), hits(connection, "walking")]).toEqual([rows, 0]);
  expect(hits(connection, "aged")).toBe(0);
  const sums = db
    .prepare("SELECT terms, (SELECT sum(term_count) FROM records) AS sum FROM totals")
    .get();
  expect(sums?.terms).toBe(sums?.sum);
  const words = db.prepare("SELECT word FROM words ORDER BY word").all();
  expect(words.map(({ word }) => word)).toEqual(expect.arrayContaining(["engineer", "gardens"]));
}
