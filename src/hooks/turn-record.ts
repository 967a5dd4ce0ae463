/**
 * The check of a record that a hook made itself.
 *
 * Guarantees: the bounds are those of record/memory-record, of which it knows the few fields that a
 * hook fills. It stands in for that schema because loading the schema library costs more than the
 * whole capture, and a hook has a tenth of a second; a test compares the two.
 */
import { MemspoolError } from "../errors.ts";
import { RECORD_ATTRIBUTES_BYTES_MAX, SHORT_STRING_BYTES_MAX } from "../record/limits.ts";
import type { MemoryRecord } from "../record/memory-record.ts";
import { utf8Bytes } from "../record/utf8-bytes.ts";

const SHORT_FIELDS = ["session_id", "project", "source", "idempotency_key"] as const;

/** @throws MemspoolError RECORD_INVALID, RECORD_TOO_LARGE */
export function checkTurnRecord(record: MemoryRecord, textBytesMax: number): MemoryRecord {
  const { surface, ...attributes } = record;
  refuseOver("surface", utf8Bytes(surface), textBytesMax);
  for (const field of SHORT_FIELDS) {
    const bytes = utf8Bytes(record[field] ?? "");
    if (bytes <= SHORT_STRING_BYTES_MAX) continue;
    throw new MemspoolError(
      "RECORD_INVALID",
      `${field} is ${bytes} bytes of UTF-8, the limit is ${SHORT_STRING_BYTES_MAX}. Correct it.`,
      { details: { problems: [field] } },
    );
  }
  const bytes = utf8Bytes(JSON.stringify(attributes));
  refuseOver("everything beside surface, as JSON,", bytes, RECORD_ATTRIBUTES_BYTES_MAX);
  return record;
}

function refuseOver(what: string, bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  throw new MemspoolError(
    "RECORD_TOO_LARGE",
    `The record's ${what} is ${bytes} bytes, the limit is ${bytesMax}.`,
    { details: { limit_bytes: bytesMax, size_bytes: bytes } },
  );
}
