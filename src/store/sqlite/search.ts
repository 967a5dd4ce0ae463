/**
 * Candidates for the shared scorer.
 *
 * A question's rare terms decide what it finds: they are taken in order of rarity until their posting
 * lists together reach a budget, and only the records that hold one of them are looked at. That bounds
 * the work by the budget instead of by the size of the store (at a million records the union of seven
 * common words takes a second), and keeps the best: what a common word adds to a score is less than
 * what a rare one does. When even the rarest term is beyond the budget, the newest records that
 * hold it are taken. Guarantees: bounded in postings, records and bytes; one snapshot.
 */
import type { CandidateQuery, CandidateSet, MeasuredRecord } from "../memory-store.ts";
import type { Connection } from "./connection.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { conditionsOf } from "./filters.ts";
import type { FrequencyCache } from "./frequencies.ts";
import { MEASURED_COLUMNS, measuredRecord } from "./rows.ts";

/** Postings that one question may read. */
export const POSTING_COUNT_MAX = 20_000;
/** Postings of one common term that are looked through, newest first, for a filter's records. */
const SCAN_COUNT_MAX = 200_000;
export const CANDIDATE_COUNT_MAX = 2_000;
/** Of the best postings so many times the wanted records are tried with the filter. */
const LOOK_FACTOR = 4;
/** Of the candidates' JSON together; the first is always taken. */
const CANDIDATE_BYTES_MAX = 33_554_432;

export function findCandidates(
  connection: Connection,
  frequencies: FrequencyCache,
  query: CandidateQuery,
  postingCountMax = POSTING_COUNT_MAX,
): CandidateSet {
  return connection.read(() => {
    const totals = connection.statement("SELECT records, terms FROM totals").get();
    const recordCount = totals?.records as number;
    const termCount = totals?.terms as number;
    const counts = frequencies.count(connection, query.terms, recordCount);
    const ids = candidateIds(connection, query, counts, postingCountMax);
    const newest = connection.statement("SELECT max(ulid) AS ulid FROM records").get()?.ulid;
    return {
      candidates: fetchRecords(connection, ids),
      newest: typeof newest === "string" ? newest : "",
      recordCount,
      termCountMean: recordCount === 0 ? 0 : termCount / recordCount,
      documentFrequency: Object.fromEntries(counts),
    };
  });
}

function candidateIds(
  connection: Connection,
  query: CandidateQuery,
  counts: ReadonlyMap<string, number>,
  postingCountMax: number,
): number[] {
  const rarest = [...counts].filter(([, count]) => count > 0).sort(([, a], [, b]) => a - b);
  const first = rarest[0];
  const countMax = Math.min(query.countMax, CANDIDATE_COUNT_MAX);
  if (first === undefined || countMax < 1) return [];
  const chosen: string[] = [];
  let postings = 0;
  for (const [term, count] of rarest) {
    postings += count;
    if (postings > postingCountMax) break;
    chosen.push(term);
  }
  const { sql: filter, values } = conditionsOf(query.filter);
  const where = filter + (query.ulidMax === undefined ? "" : " AND r.ulid <= ?");
  const bound: SqlValue[] = query.ulidMax === undefined ? [...values] : [...values, query.ulidMax];
  if (chosen.length === 0) {
    const rows = connection.statement(newestSql(where)).all(anyOf([first[0]]), ...bound, countMax);
    return idsOf(rows);
  }
  // Looking at a record costs more than scoring its posting: the best are looked at first, and all
  // only where the filter leaves too few of these.
  const looked = where === "" ? countMax : LOOK_FACTOR * countMax;
  const best = idsOf(connection.statement(BEST_SQL).all(anyOf(chosen), looked));
  if (where === "") return best;
  const passing = idsOf(
    connection.statement(passingSql(where)).all(JSON.stringify(best), ...bound, countMax),
  );
  if (passing.length === countMax || best.length < looked) return passing;
  return idsOf(connection.statement(bestSql(where)).all(anyOf(chosen), ...bound, countMax));
}

function idsOf(rows: readonly SqlRow[]): number[] {
  return rows.map((row) => row.id as number);
}

// Numbers rise in the order of ingest, which is that of ids but for what came late.
const BEST_SQL = `SELECT rowid AS id FROM records_fts WHERE records_fts MATCH ?
  ORDER BY bm25(records_fts), rowid DESC LIMIT ?`;

function passingSql(where: string): string {
  return `SELECT r.id FROM json_each(?) j CROSS JOIN records r ON r.id = j.value
    WHERE true${where} ORDER BY j.id LIMIT ?`;
}

// CROSS JOIN keeps the index outside: asked for single rows, it reads the posting lists for each.
function bestSql(where: string): string {
  return `SELECT r.id FROM records_fts CROSS JOIN records r ON r.id = records_fts.rowid
    WHERE records_fts MATCH ?${where} ORDER BY bm25(records_fts), r.ulid DESC LIMIT ?`;
}

function newestSql(where: string): string {
  return `SELECT r.id FROM (
      SELECT rowid AS id FROM records_fts WHERE records_fts MATCH ?
      ORDER BY rowid DESC LIMIT ${SCAN_COUNT_MAX}
    ) newest CROSS JOIN records r ON r.id = newest.id
    WHERE true${where} ORDER BY newest.id DESC LIMIT ?`;
}

/** Terms hold no quotation marks; doubling them keeps that from mattering. */
function anyOf(terms: readonly string[]): string {
  return terms.map((term) => `"${term.replaceAll('"', '""')}"`).join(" OR ");
}

function fetchRecords(connection: Connection, ids: readonly number[]): MeasuredRecord[] {
  const rows = connection
    .statement(
      `SELECT ${MEASURED_COLUMNS} FROM json_each(?) j CROSS JOIN records r ON r.id = j.value
       ORDER BY j.id`,
    )
    .iterate(JSON.stringify(ids));
  const records: MeasuredRecord[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += (row.record as string).length;
    if (records.length > 0 && bytes > CANDIDATE_BYTES_MAX) break;
    records.push(measuredRecord(row));
  }
  return records;
}
