/**
 * One line of an export: a record with its id, time and hash. docs/OPERATING.md, "Export". Pure.
 *
 * Guarantees: a record's JSON goes through as the text it is, so any string comes back code unit for
 * code unit (JSON escapes lone surrogates and U+0000); what is read is proved by the hash.
 */
import { z } from "zod";
import { textSha256 } from "../../record/content-hash.ts";
import {
  isoTimeSchema,
  type MemoryRecord,
  parseRecord,
  ulidSchema,
} from "../../record/memory-record.ts";

export const EXPORT_VERSION = 1;

export interface ExportItem {
  readonly ulid: string;
  /** ISO 8601. */
  readonly appendedAt: string;
  readonly sha256: string;
  readonly recordJson: string;
  /** It was set aside; absent for all others. */
  readonly state?: "quarantined";
  /** The record that this id is a duplicate of. */
  readonly duplicateOf?: string;
}

export interface ImportedItem {
  readonly ulid: string;
  /** ISO 8601. */
  readonly appendedAt: string;
  readonly sha256: string;
  readonly record: MemoryRecord;
}

/** The first line; says what the others are. */
export function exportHeader(version: string, createdAt: string): string {
  const header = { memspool_export: EXPORT_VERSION, memspool_version: version };
  return `${JSON.stringify({ ...header, created_at: createdAt })}\n`;
}

export function encodeExportLine(item: ExportItem): string {
  const { ulid, appendedAt, sha256, state, duplicateOf } = item;
  const about = { ulid, appended_at: appendedAt, sha256, state, duplicate_of: duplicateOf };
  // Absent fields are left out; the record follows as it is.
  return `${JSON.stringify(about).slice(0, -1)},"record":${item.recordJson}}\n`;
}

const lineSchema = z.object({
  ulid: ulidSchema,
  appended_at: isoTimeSchema,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  record: z.unknown(),
});

/** What is wrong with a line, in words that hold nothing of it. */
export class LineFault extends Error {}

/**
 * @param line a line's JSON value
 * @param textBytesMax largest text of a record
 * @throws LineFault; MemspoolError RECORD_INVALID or RECORD_TOO_LARGE
 */
export function parseExportLine(line: unknown, textBytesMax: number): ImportedItem {
  const parsed = lineSchema.safeParse(line);
  if (!parsed.success) {
    const fields = new Set(parsed.error.issues.map(({ path }) => String(path[0] ?? "the line")));
    throw new LineFault(`${[...fields].join(", ")} is missing or not what it should be`);
  }
  const { ulid, appended_at: appendedAt, sha256 } = parsed.data;
  const record = parseRecord(parsed.data.record, textBytesMax);
  if (textSha256(record.surface) !== sha256)
    throw new LineFault("its hash does not match its text");
  return { ulid, appendedAt, sha256, record };
}
