/**
 * Records that were captured before a time, in the order of their ids.
 *
 * Guarantees: `appended_at` decides. Ids rise with the time of capture, so only those that could be
 * old enough are looked at; one whose id is ahead of its time is found when its id's time has passed.
 */
import { idsFrom } from "../../record/record-id.ts";
import { escapeText } from "../escaped-text.ts";
import type { ExpiredQuery } from "../forgetting.ts";
import type { Connection } from "./connection.ts";

export function expiredIds(connection: Connection, query: ExpiredQuery): string[] {
  const { beforeMs, projects, isExcept, after, countMax } = query;
  if (beforeMs <= 0) return []; // older than all clocks
  const rows = connection
    .statement(
      `SELECT ulid FROM records WHERE ulid > ? AND ulid < ? AND appended_at < ?
         AND project ${isExcept ? "NOT IN" : "IN"} (SELECT value FROM json_each(?))
       ORDER BY ulid LIMIT ?`,
    )
    .all(
      after,
      idsFrom(beforeMs),
      new Date(beforeMs).toISOString(),
      JSON.stringify(projects.map(escapeText)),
      countMax,
    );
  return rows.map((row) => row.ulid as string);
}
