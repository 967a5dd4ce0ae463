/** From a row of `records` to a StoredRecord: the record comes from its JSON text, byte for byte. */
import type { MemoryRecord } from "../../record/memory-record.ts";
import type { MeasuredRecord, StoredRecord } from "../memory-store.ts";
import type { SqlRow } from "./driver.ts";

/** What {@link storedRecord} needs, of `records` under the name r. */
export const RECORD_COLUMNS = `
  r.ulid, r.sha256, r.appended_at, r.ingested_at, r.turn, r.record,
  (SELECT max(s.by_ulid) FROM supersessions s WHERE s.target = r.ulid) AS superseded_by`;

export function storedRecord(row: SqlRow): StoredRecord {
  const supersededBy = row.superseded_by;
  return {
    ulid: row.ulid as string,
    appendedAt: row.appended_at as string,
    sha256: row.sha256 as string,
    record: JSON.parse(row.record as string) as MemoryRecord,
    ingestedAt: row.ingested_at as string,
    turn: row.turn as number,
    ...(typeof supersededBy === "string" ? { supersededBy } : {}),
  };
}

export const MEASURED_COLUMNS = `${RECORD_COLUMNS}, r.term_count`;

export function measuredRecord(row: SqlRow): MeasuredRecord {
  return { ...storedRecord(row), termCount: row.term_count as number };
}
