/**
 * Every row looked at by itself, page by page, and a spread sample of rows looked up in the index:
 * what `memspool verify` asks the store.
 *
 * Guarantees: reads only; a page is one snapshot and bounded in rows and in bytes; the record's JSON is
 * the truth that every other column, its tags and its place in the index are compared with. The hash
 * is over the text: a change of other fields shows only where a column is derived from them. Terms of
 * another text pipeline than ours are counted and not looked up.
 * Rows that come or go while pages are read may be missed; whoever adds up looks twice.
 */
import { textSha256 } from "../../record/content-hash.ts";
import { isRecord, type MemoryRecord } from "../../record/memory-record.ts";
import { indexedText } from "../../text/indexed-text.ts";
import { indexTerms } from "../../text/terms.ts";
import type {
  AuditCounts,
  AuditedEntry,
  AuditIndexQuery,
  AuditIndexResult,
  AuditRowsPage,
  AuditRowsQuery,
  RowFault,
} from "../memory-store.ts";
import type { Connection } from "./connection.ts";
import type { SqlRow } from "./driver.ts";
import { derivedColumns } from "./prepared-item.ts";
import { type IndexState, indexState, mayHoldOtherTerms } from "./renew-index.ts";

const PAGE_COUNT_MAX = 5_000;
/** Of the records' JSON in one page; the first row is always taken. */
const PAGE_CHARS_MAX = 8_388_608;
/** Of one sampled row; a text of 1 MiB has 100,000 terms and a look at one costs about 0.2 ms. */
const SAMPLE_TERM_COUNT_MAX = 64;

/** Where a page begins: behind a row by its number or its id, an alias, or a forgotten id. */
type Place = { readonly in: "rows" | "ids" | "aliases" | "tombstones"; readonly after: string };

const START: Readonly<Record<Place["in"], string>> = {
  rows: "0",
  ids: "",
  aliases: "",
  tombstones: "",
};

/** @throws TypeError for a cursor that no page gave */
export function auditRows(connection: Connection, query: AuditRowsQuery): AuditRowsPage {
  const limit = Math.min(Math.max(1, query.limit), PAGE_COUNT_MAX);
  const place = placeOf(query.after) ?? startOf(query.hashes ? "rows" : "ids");
  return connection.read(() => {
    const { entries, last } = readPage(connection, place, limit, query.hashes);
    if (last !== undefined) return { entries, next: `${place.in}:${last}` };
    if (place.in === "tombstones") return { entries };
    return { entries, next: place.in === "aliases" ? "tombstones:" : "aliases:" };
  });
}

function startOf(table: Place["in"]): Place {
  return { in: table, after: START[table] };
}

function placeOf(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined;
  const [, table, after] = /^(rows|ids|aliases|tombstones):([0-9A-Z]{0,26})$/.exec(cursor) ?? [];
  if (table === undefined || after === undefined) throw new TypeError("no cursor of auditRows");
  return { in: table as Place["in"], after };
}

/** `last` is where the next page goes on; undefined at the table's end. */
function readPage(
  connection: Connection,
  place: Place,
  limit: number,
  hashes: boolean,
): { entries: AuditedEntry[]; last: string | undefined } {
  const entries: AuditedEntry[] = [];
  const index = indexState(connection);
  let last: string | undefined;
  let chars = 0;
  const after = place.in === "rows" ? Number(place.after) : place.after;
  for (const row of connection.statement(PAGES[place.in]).iterate(after, limit)) {
    const ulid = String(row.ulid);
    const fault = hashes ? faultOf(connection, place.in, row, index) : undefined;
    const kind = KINDS[place.in];
    entries.push(fault === undefined ? { ulid, kind } : { ulid, kind, fault });
    chars += typeof row.record === "string" ? row.record.length : 0;
    last = place.in === "rows" ? String(row.id) : ulid;
    if (chars >= PAGE_CHARS_MAX) return { entries, last };
  }
  return { entries, last: entries.length < limit ? undefined : last };
}

const KINDS: Readonly<Record<Place["in"], AuditedEntry["kind"]>> = {
  rows: "record",
  ids: "record",
  aliases: "alias",
  tombstones: "tombstone",
};

/** Indexes whose entry a row is found by, and what it has to say there. */
const FOUND_BY = {
  sqlite_autoindex_records_1: ["ulid"],
  records_at: ["at_ms", "ulid"],
  records_project_at: ["project", "at_ms", "ulid"],
} as const;

function foundBy([index, columns]: [string, readonly string[]]): string {
  const same = [...columns, "id"].map((column) => `x.${column} = r.${column}`).join(" AND ");
  return `EXISTS (SELECT 1 FROM records x INDEXED BY ${index} WHERE ${same})`;
}

const PAGES: Readonly<Record<Place["in"], string>> = {
  rows: `SELECT r.id, r.ulid, r.sha256, r.appended_at, r.at_ms, r.term_count, r.project, r.session_id,
      r.role, r.tier, r.source, r.idempotency_key, r.record, d.sz AS indexed,
      ${Object.entries(FOUND_BY).map(foundBy).join(" AND ")} AS found
    FROM records r LEFT JOIN records_fts_docsize d ON d.id = r.id
    WHERE r.id > ? ORDER BY r.id LIMIT ?`,
  // The index of ids alone: some 3 µs a row, whatever the texts weigh.
  ids: "SELECT ulid FROM records WHERE ulid > ? ORDER BY ulid LIMIT ?",
  tombstones: "SELECT ulid FROM tombstones WHERE ulid > ? ORDER BY ulid LIMIT ?",
  aliases: `SELECT a.ulid, a.sha256, r.sha256 AS sha256_of FROM aliases a
    LEFT JOIN records r ON r.ulid = a.of WHERE a.ulid > ? ORDER BY a.ulid LIMIT ?`,
};

function faultOf(
  connection: Connection,
  table: Place["in"],
  row: SqlRow,
  index: IndexState,
): RowFault | undefined {
  if (table === "tombstones") return undefined;
  if (table === "aliases") return row.sha256 === row.sha256_of ? undefined : "alias_of_nothing";
  const record = parseRow(row);
  if (record === undefined) return "not_a_record";
  if (textSha256(record.surface) !== row.sha256) return "text_changed";
  // What another pipeline made can only be compared with itself.
  const termCount = mayHoldOtherTerms(index, row.id as number)
    ? row.term_count
    : indexTerms(indexedText(record)).length;
  if (row.term_count !== termCount || !columnsAgree(connection, row, record)) {
    return "columns_differ";
  }
  if (row.found !== 1) return "not_found";
  return indexedTermCount(row.indexed) === termCount ? undefined : "not_indexed";
}

function parseRow(row: SqlRow): MemoryRecord | undefined {
  try {
    const record: unknown = JSON.parse(row.record as string);
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined; // not JSON: the answer to the question, not a failure
  }
}

function columnsAgree(connection: Connection, row: SqlRow, record: MemoryRecord): boolean {
  const wanted = derivedColumns(record, row.appended_at as string);
  return (
    row.at_ms === wanted.atMs &&
    row.project === wanted.project &&
    row.session_id === wanted.sessionId &&
    row.role === wanted.role &&
    row.tier === wanted.tier &&
    row.source === wanted.source &&
    row.idempotency_key === wanted.idempotencyKey &&
    wanted.tags.every((tag) => hasTag(connection, tag, row.id as number))
  );
}

function hasTag(connection: Connection, tag: string, id: number): boolean {
  const sql = "SELECT 1 FROM record_tags WHERE tag = ? AND record_id = ?";
  return connection.statement(sql).get(tag, id) !== undefined;
}

/**
 * Terms that the index has for a row, as its docsize table says (https://sqlite.org/fts5.html, "The
 * columnsize Option"): one variable-length integer, high bits first, seven in a byte.
 */
function indexedTermCount(sizes: unknown): number | undefined {
  if (!(sizes instanceof Uint8Array)) return undefined;
  let count = 0;
  for (const byte of sizes) {
    count = count * 128 + (byte & 0x7f);
    if (byte < 0x80) return count;
  }
  return undefined;
}

/**
 * How many of each there are, by count and by the totals that are kept. One snapshot. Rows are looked
 * up in the index's small table of sizes: in `records` each would be a page of the disk, and a store
 * of a million records that is not in memory takes more than ten seconds.
 */
export function auditCounts(connection: Connection): AuditCounts {
  const row = connection
    .statement(
      `SELECT (SELECT count(*) FROM records) AS records, (SELECT count(*) FROM aliases) AS aliases,
         (SELECT count(*) FROM records_fts_docsize) AS indexed,
         (SELECT count(*) FROM record_tags t
          WHERE NOT EXISTS (SELECT 1 FROM records_fts_docsize d WHERE d.id = t.record_id)) AS stray_tags,
         t.records AS total_records, t.aliases AS total_aliases FROM totals t`,
    )
    .get();
  const count = (name: string) => Number(row?.[name] ?? 0);
  return {
    records: count("records"),
    aliases: count("aliases"),
    indexed: count("indexed"),
    strayTags: count("stray_tags"),
    totalRecords: count("total_records"),
    totalAliases: count("total_aliases"),
  };
}

/** Whether the sampled rows are found by their own terms. */
export function auditIndex(connection: Connection, query: AuditIndexQuery): AuditIndexResult {
  return connection.read(() => {
    const bounds = connection
      .statement("SELECT min(id) AS first, max(id) AS last FROM records")
      .get();
    const [first, last] = [Number(bounds?.first ?? 0), Number(bounds?.last ?? -1)];
    const faults: { ulid: string; terms: number }[] = [];
    const index = indexState(connection);
    let sampled = 0;
    let previous = first - 1;
    for (let n = query.first; n < Math.min(query.first + query.count, query.of); n++) {
      // Evenly spread over the row numbers, both ends included.
      const wanted = first + Math.floor(((last - first) * n) / Math.max(1, query.of - 1));
      const row = connection
        .statement("SELECT id, ulid, record FROM records WHERE id >= ? ORDER BY id LIMIT 1")
        .get(Math.max(wanted, previous + 1));
      if (row === undefined) break;
      previous = row.id as number;
      sampled++;
      if (mayHoldOtherTerms(index, previous)) continue;
      const absent = absentTerms(connection, row);
      if (absent > 0) faults.push({ ulid: row.ulid as string, terms: absent });
    }
    return { sampled, faults };
  });
}

/** Term by term: for a conjunction the index would walk through all lists from their start. */
function absentTerms(connection: Connection, row: SqlRow): number {
  const record = parseRow(row);
  if (record === undefined) return 0; // auditRows has said so
  const terms = [...new Set(indexTerms(indexedText(record)))];
  const step = Math.max(1, terms.length / SAMPLE_TERM_COUNT_MAX);
  const statement = connection.statement(
    "SELECT 1 FROM records_fts WHERE records_fts MATCH ? AND rowid = ?",
  );
  let absent = 0;
  for (let at = 0; at < terms.length; at += step) {
    const term = terms[Math.floor(at)] as string;
    if (statement.get(`"${term.replaceAll('"', '""')}"`, row.id as number) === undefined) absent++;
  }
  return absent;
}
