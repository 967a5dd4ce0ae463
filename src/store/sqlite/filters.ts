/** A RecordFilter as conditions on `records` under the name r. Pure; values are always bound. */
import { escapeText } from "../escaped-text.ts";
import type { RecordFilter } from "../memory-store.ts";
import type { SqlValue } from "./driver.ts";

export interface Conditions {
  /** Begins with " AND " unless empty, so that it stands behind any condition. */
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

export function conditionsOf(filter: RecordFilter): Conditions {
  const parts: [sql: string, value: SqlValue][] = [];
  if (filter.projects !== undefined) {
    parts.push(["r.project IN (SELECT value FROM json_each(?))", escapedList(filter.projects)]);
  }
  for (const [column, text] of [
    ["session_id", filter.sessionId],
    ["role", filter.role],
    ["tier", filter.tier],
    ["source", filter.source],
  ] as const) {
    if (text !== undefined) parts.push([`r.${column} = ?`, escapeText(text)]);
  }
  if (filter.sinceMs !== undefined) parts.push(["r.at_ms >= ?", filter.sinceMs]);
  if (filter.untilMs !== undefined) parts.push(["r.at_ms <= ?", filter.untilMs]);
  if (filter.tags !== undefined && filter.tags.length > 0) {
    parts.push([
      `NOT EXISTS (
        SELECT 1 FROM json_each(?) wanted WHERE NOT EXISTS (
          SELECT 1 FROM record_tags t WHERE t.tag = wanted.value AND t.record_id = r.id))`,
      escapedList(filter.tags),
    ]);
  }
  if (filter.excluded !== undefined && filter.excluded.length > 0) {
    parts.push(["r.ulid NOT IN (SELECT value FROM json_each(?))", JSON.stringify(filter.excluded)]);
  }
  return {
    sql: parts.map(([sql]) => ` AND ${sql}`).join(""),
    values: parts.map(([, value]) => value),
  };
}

function escapedList(texts: readonly string[]): string {
  return JSON.stringify(texts.map(escapeText));
}
