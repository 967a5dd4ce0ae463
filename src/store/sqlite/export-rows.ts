/** Rows in the order of their ids, page by page, for whoever wants all of them. */
import type { ExportQuery, ExportRow } from "../memory-store.ts";
import type { Connection } from "./connection.ts";

const SQL = {
  records: `SELECT ulid, appended_at, sha256, record, NULL AS of FROM records
    WHERE ulid > ? ORDER BY ulid LIMIT ?`,
  aliases: `SELECT a.ulid, a.appended_at, a.sha256, r.record, a.of FROM aliases a
    JOIN records r ON r.ulid = a.of WHERE a.ulid > ? ORDER BY a.ulid LIMIT ?`,
} as const;

/** At least one row if there are any; ends early when `charsMax` is reached. */
export function readExportRows(connection: Connection, query: ExportQuery): ExportRow[] {
  const rows: ExportRow[] = [];
  let chars = 0;
  const found = connection.statement(SQL[query.of]).iterate(query.after ?? "", query.countMax);
  for (const row of found) {
    const recordJson = row.record as string;
    const duplicateOf = row.of as string | null;
    rows.push({
      ulid: row.ulid as string,
      appendedAt: row.appended_at as string,
      sha256: row.sha256 as string,
      recordJson,
      ...(duplicateOf === null ? {} : { duplicateOf }),
    });
    chars += recordJson.length;
    if (chars >= query.charsMax) break; // ends the statement, and with it its hold on the log
  }
  return rows;
}
