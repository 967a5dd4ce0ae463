/** Questions about records by id, by time and by name. Each runs on one snapshot. */
import { escapeText, unescapeText } from "../escaped-text.ts";
import type {
  Facet,
  FacetKind,
  RecordFilter,
  StoredRecord,
  StoreLookup,
  TimelineQuery,
} from "../memory-store.ts";
import type { Connection } from "./connection.ts";
import { conditionsOf } from "./filters.ts";
import { RECORD_COLUMNS, storedRecord } from "./rows.ts";

export function getRecord(connection: Connection, ulid: string): StoredRecord | undefined {
  const row = connection
    .statement(
      `SELECT ${RECORD_COLUMNS} FROM records r
       WHERE r.ulid = coalesce((SELECT of FROM aliases WHERE ulid = ?1), ?1)`,
    )
    .get(ulid);
  return row && storedRecord(row);
}

export function lookUp(
  connection: Connection,
  ulids: readonly string[],
): ReadonlyMap<string, StoreLookup> {
  const rows = connection
    .statement(
      `WITH asked AS (SELECT value AS ulid FROM json_each(?))
       SELECT ulid, NULL AS of, sha256, appended_at, NULL AS reason FROM asked JOIN records USING (ulid)
       UNION ALL
       SELECT ulid, of, sha256, appended_at, NULL FROM asked JOIN aliases USING (ulid)
       UNION ALL
       SELECT ulid, NULL, NULL, forgotten_at, reason FROM asked JOIN tombstones USING (ulid)`,
    )
    .all(JSON.stringify(ulids));
  return new Map(
    rows.map((row): [string, StoreLookup] => {
      if (row.reason !== null) {
        const tombstone = { forgottenAt: row.appended_at as string, reason: row.reason as string };
        return [row.ulid as string, { state: "forgotten", ...tombstone }];
      }
      const facts = { sha256: row.sha256 as string, appendedAt: row.appended_at as string };
      const of = row.of as string | null;
      const found: StoreLookup =
        of === null ? { state: "ingested", ...facts } : { state: "duplicate", of, ...facts };
      return [row.ulid as string, found];
    }),
  );
}

/**
 * One question a project, merged: an index leads to each project's newest records, while for several
 * projects at once all their records would be sorted.
 */
export function readTimeline(connection: Connection, query: TimelineQuery): StoredRecord[] {
  const { projects, ...filter } = query.filter;
  const limit = Math.max(0, query.limit);
  if (projects === undefined) {
    return timelineRows(connection, query, undefined, filter, limit).map(([, record]) => record);
  }
  const rows = connection.read(() =>
    [...new Set(projects)].flatMap((project) =>
      timelineRows(connection, query, project, filter, limit),
    ),
  );
  const sign = query.order === "oldest" ? 1 : -1;
  return rows
    .sort(([oneMs, one], [otherMs, other]) => {
      return sign * (oneMs - otherMs || (one.ulid < other.ulid ? -1 : 1));
    })
    .slice(0, limit)
    .map(([, record]) => record);
}

function timelineRows(
  connection: Connection,
  { after, order, ulidMax }: TimelineQuery,
  project: string | undefined,
  filter: RecordFilter,
  limit: number,
): [atMs: number, record: StoredRecord][] {
  const { sql, values } = conditionsOf(filter);
  const [beyond, direction] = order === "oldest" ? [">", "ASC"] : ["<", "DESC"];
  const rows = connection
    .statement(
      `SELECT r.at_ms, ${RECORD_COLUMNS} FROM records r
       WHERE true${project === undefined ? "" : " AND r.project = ?"}${sql}
       ${after === undefined ? "" : `AND (r.at_ms, r.ulid) ${beyond} (?, ?)`}
       ${ulidMax === undefined ? "" : "AND r.ulid <= ?"}
       ORDER BY r.at_ms ${direction}, r.ulid ${direction} LIMIT ?`,
    )
    .all(
      ...(project === undefined ? [] : [escapeText(project)]),
      ...values,
      ...(after === undefined ? [] : [after.atMs, after.ulid]),
      ...(ulidMax === undefined ? [] : [ulidMax]),
      limit,
    );
  return rows.map((row) => [row.at_ms as number, storedRecord(row)]);
}

const FACET_SOURCES: Readonly<Record<FacetKind, { from: string; name: string; where: string }>> = {
  projects: { from: "records r", name: "r.project", where: "true" },
  sessions: { from: "records r", name: "r.session_id", where: "r.session_id IS NOT NULL" },
  tags: {
    from: "record_tags named JOIN records r ON r.id = named.record_id",
    name: "named.tag",
    where: "true",
  },
};

export function readFacets(
  connection: Connection,
  kind: FacetKind,
  filter: RecordFilter,
  limit: number,
): Facet[] {
  const { from, name, where } = FACET_SOURCES[kind];
  const { sql, values } = conditionsOf(filter);
  const rows = connection
    .statement(
      `SELECT ${name} AS name, count(*) AS count, max(r.at_ms) AS last_ms FROM ${from}
       WHERE ${where}${sql} GROUP BY ${name} ORDER BY last_ms DESC, name LIMIT ?`,
    )
    .all(...values, Math.max(0, limit));
  return rows.map((row) => ({
    name: unescapeText(row.name as string),
    count: row.count as number,
    lastAt: new Date(row.last_ms as number).toISOString(),
  }));
}
