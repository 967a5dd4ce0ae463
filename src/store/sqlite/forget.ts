/**
 * Removes records from the tables and leaves tombstones, inside a write transaction of the caller's.
 *
 * Guarantees: what forgetting.ts says of `forget`. Rows, index, totals and tombstones change together.
 * What the pages and the index keep of deleted rows is removed by scrub.ts.
 */
import type { MemoryRecord } from "../../record/memory-record.ts";
import { escapeText } from "../escaped-text.ts";
import type {
  ForgetOrder,
  ForgetOutcome,
  MatchingQuery,
  OrderTraces,
  StoredTombstone,
} from "../forgetting.ts";
import type { RecordFilter } from "../memory-store.ts";
import { replayHash } from "../replay-hash.ts";
import type { Connection } from "./connection.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { conditionsOf } from "./filters.ts";
import { forgetWords } from "./forget-words.ts";

/** In `meta`: pages and index may still hold what was deleted. */
export const SCRUB_DUE = "scrub_due";

/** A tombstone as it is found by its id or its replay hash. */
export type KnownTombstone = Omit<StoredTombstone, "ulid" | "replayHash">;

/** @throws driver errors as they are */
export function forgetRecords(connection: Connection, order: ForgetOrder): ForgetOutcome {
  const { request, forgottenAt, reason } = order;
  const all = sameRecords(connection, order.ulids);
  const records = rowsOf(connection, all);
  let terms = 0;
  let aliases = 0;
  const content: MemoryRecord[] = [];
  const hashes = new Map(order.replayHashes);
  for (const row of records) {
    const record = recordOf(row);
    if (record !== undefined) content.push(record);
    const hash = record && replayHash(record, row.sha256 as string);
    for (const ulid of [row.ulid as string, ...aliasesOf(connection, row.ulid as string)]) {
      if (hash !== undefined) hashes.set(ulid, hash);
    }
    terms += row.term_count as number;
    aliases += removeRecord(connection, row, record);
  }
  for (const ulid of new Set([...order.ulids, ...all])) {
    writeTombstone(connection, {
      ulid,
      request,
      forgottenAt,
      reason,
      replayHash: hashes.get(ulid),
    });
  }
  if (records.length > 0) {
    forgetWords(connection, content);
    connection
      .statement(
        "UPDATE totals SET records = records - ?, terms = terms - ?, aliases = aliases - ? WHERE id = 1",
      )
      .run(records.length, terms, aliases);
    connection.statement("INSERT OR IGNORE INTO meta VALUES (?, '1')").run(SCRUB_DUE);
  }
  return { removed: records.length };
}

/** The first tombstone of an id stays. */
export function writeTombstone(
  connection: Connection,
  { ulid, request, forgottenAt, reason, replayHash: hash }: StoredTombstone,
): void {
  connection
    .statement(
      `INSERT OR IGNORE INTO tombstones (ulid, request, forgotten_at, reason, replay_hash)
       VALUES (?, ?, ?, ?, ?)`,
    )
    .run(ulid, request, forgottenAt, reason, hash ?? null);
}

/** @param list ids as a JSON array */
export function tombstonesOf(
  connection: Connection,
  list: string,
): ReadonlyMap<string, KnownTombstone> {
  const rows = connection
    .statement("SELECT t.* FROM json_each(?) j JOIN tombstones t ON t.ulid = j.value")
    .all(list);
  return new Map(rows.map((row) => [row.ulid as string, tombstoneOf(row)]));
}

export function tombstoneOfReplay(
  connection: Connection,
  hash: string,
): KnownTombstone | undefined {
  const row = connection
    .statement("SELECT * FROM tombstones WHERE replay_hash = ? LIMIT 1")
    .get(hash);
  return row && tombstoneOf(row);
}

export function tracesOf(connection: Connection, request: string): OrderTraces {
  const rows = connection
    .statement("SELECT ulid, replay_hash FROM tombstones WHERE request = ? ORDER BY ulid")
    .all(request);
  const hashes = new Set(rows.flatMap((row) => (row.replay_hash as string | null) ?? []));
  return { ulids: rows.map((row) => row.ulid as string), replayHashes: [...hashes] };
}

/** See MemoryStore. */
export function sameRecords(connection: Connection, ulids: readonly string[]): string[] {
  const rows = connection
    .statement(
      `WITH asked AS (SELECT value AS ulid FROM json_each(?1)),
         originals AS (
           SELECT r.ulid FROM asked JOIN records r USING (ulid)
           UNION SELECT a.of FROM asked JOIN aliases a USING (ulid))
       SELECT ulid FROM originals
       UNION SELECT a.ulid FROM originals o JOIN aliases a ON a.of = o.ulid
       ORDER BY ulid`,
    )
    .all(JSON.stringify(ulids));
  return rows.map((row) => row.ulid as string);
}

/** See MemoryStore. */
export function matchingIds(
  connection: Connection,
  { filter, after = "", countMax }: MatchingQuery<RecordFilter>,
): string[] {
  const { sql, values } = conditionsOf(filter);
  const rows = connection
    .statement(`SELECT r.ulid FROM records r WHERE r.ulid > ?${sql} ORDER BY r.ulid LIMIT ?`)
    .all(after, ...values, countMax);
  return rows.map((row) => row.ulid as string);
}

function rowsOf(connection: Connection, ulids: readonly string[]): SqlRow[] {
  return connection
    .statement(
      `SELECT r.id, r.ulid, r.sha256, r.term_count, r.record
       FROM json_each(?) j JOIN records r ON r.ulid = j.value`,
    )
    .all(JSON.stringify(ulids));
}

/** Without it no repetition of a damaged row is recognised, which must not keep it here. */
function recordOf({ record }: SqlRow): MemoryRecord | undefined {
  try {
    return JSON.parse(record as string) as MemoryRecord;
  } catch {
    return undefined;
  }
}

function aliasesOf(connection: Connection, ulid: string): string[] {
  const rows = connection.statement("SELECT ulid FROM aliases WHERE of = ?").all(ulid);
  return rows.map((row) => row.ulid as string);
}

/** @returns how many aliases it had */
function removeRecord(
  connection: Connection,
  { id, ulid }: SqlRow,
  record: MemoryRecord | undefined,
): number {
  const remove = (sql: string, ...values: unknown[]) =>
    connection.statement(sql).run(...(values as SqlValue[]));
  remove("DELETE FROM records_fts WHERE rowid = ?", id);
  // The tags' key begins with the tag, so they are found by the record's own words.
  if (record === undefined) remove("DELETE FROM record_tags WHERE record_id = ?", id);
  for (const tag of new Set(record?.tags)) {
    remove("DELETE FROM record_tags WHERE tag = ? AND record_id = ?", escapeText(tag), id);
  }
  remove("DELETE FROM supersessions WHERE target = ?", ulid);
  remove("DELETE FROM supersessions WHERE by_ulid = ?", ulid);
  remove("DELETE FROM records WHERE id = ?", id);
  return Number(remove("DELETE FROM aliases WHERE of = ?", ulid).changes);
}

function tombstoneOf(row: SqlRow): KnownTombstone {
  return {
    request: row.request as string,
    forgottenAt: row.forgotten_at as string,
    reason: row.reason as string,
  };
}
