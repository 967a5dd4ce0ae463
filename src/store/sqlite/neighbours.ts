/**
 * The turns beside some records, in one question to the index of sessions and turns.
 *
 * Guarantees: bounded in records and bytes; a turn that was forgotten leaves a gap and nothing
 * moves up; a record without a session has none beside it.
 */
import type { MeasuredRecord, NeighbourQuery, NeighbourSet } from "../memory-store.ts";
import type { Connection } from "./connection.ts";
import { MEASURED_COLUMNS, measuredRecord } from "./rows.ts";

const ASKED_COUNT_MAX = 100;
const SPAN_MAX = 10;
/** Of the neighbours' JSON together. */
const BYTES_MAX = 16_777_216;

const LINKS = `
  SELECT o.ulid AS of, n.ulid AS ulid, n.turn - o.turn AS "offset", n.id AS id, length(n.record) AS chars
  FROM json_each(?) j
  CROSS JOIN records o ON o.ulid = j.value
  CROSS JOIN records n ON n.session_id = o.session_id AND n.project = o.project
    AND n.turn BETWEEN o.turn - ? AND o.turn + ? AND n.id <> o.id
  WHERE o.session_id IS NOT NULL
  ORDER BY j.id, n.turn`;

export function findNeighbours(connection: Connection, query: NeighbourQuery): NeighbourSet {
  const asked = JSON.stringify(query.ulids.slice(0, ASKED_COUNT_MAX));
  const [before, behind] = [query.before, query.behind].map((turns) => Math.min(turns, SPAN_MAX));
  return connection.read(() => {
    const rows = connection.statement(LINKS).all(asked, before as number, behind as number);
    const wanted = new Set<number>();
    const links: { of: string; ulid: string; offset: number }[] = [];
    let bytes = 0;
    for (const row of rows) {
      const id = row.id as number;
      if (!wanted.has(id)) {
        bytes += row.chars as number;
        if (bytes > BYTES_MAX) break;
        wanted.add(id);
      }
      links.push({ of: row.of as string, ulid: row.ulid as string, offset: row.offset as number });
    }
    return { links, records: recordsOf(connection, [...wanted]) };
  });
}

function recordsOf(connection: Connection, ids: readonly number[]): MeasuredRecord[] {
  return connection
    .statement(
      `SELECT ${MEASURED_COLUMNS} FROM json_each(?) j CROSS JOIN records r ON r.id = j.value`,
    )
    .all(JSON.stringify(ids))
    .map(measuredRecord);
}
