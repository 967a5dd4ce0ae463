/**
 * The one exact byte form in which a record lies on disk. docs/QUEUE_FORMAT.md describes it.
 *
 * Guarantees: what {@link encodeEnvelope} wrote, {@link decodeEnvelope} gives back equal, and any
 * other bytes under the same id are refused with the code of the first fault, in a fixed order:
 * JSON, schema_version, id, checksum, record. Does not touch the disk.
 */
import { createHash } from "node:crypto";
import { CaptureQueueSchemaError, MemspoolError } from "../errors.ts";
import { isRecord, type MemoryRecord } from "./memory-record.ts";

export const SCHEMA_VERSION = 1;

export interface Envelope {
  readonly ulid: string;
  /** ISO 8601. */
  readonly appendedAt: string;
  readonly record: MemoryRecord;
  /** `JSON.stringify(record)`, as it lies in the envelope. */
  readonly recordJson: string;
  /** Of the text, see record/content-hash. */
  readonly sha256: string;
}

const HEX_64 = "[0-9a-f]{64}";
const TAIL = new RegExp(`^,"schema_version":1,"sha256":"${HEX_64}","checksum":"${HEX_64}"}$`);
const TAIL_CHARS = `,"schema_version":1,"sha256":"","checksum":""}`.length + 128;
const CHECKSUM_TAIL_BYTES = `,"checksum":""}`.length + 64;

/**
 * @param recordJson `JSON.stringify` of a parsed record
 * @param sha256 of the record's text
 * @returns the file's bytes
 */
export function encodeEnvelope(
  ulid: string,
  appendedAt: string,
  recordJson: string,
  sha256: string,
): Buffer {
  const head = envelopeHead(ulid, appendedAt);
  const body = `${head}${recordJson},"schema_version":${SCHEMA_VERSION},"sha256":"${sha256}"`;
  const checksum = createHash("sha256").update(body, "utf8").digest("hex");
  return Buffer.from(`${body},"checksum":"${checksum}"}`, "utf8");
}

/**
 * @param bytes a whole file
 * @param ulid the id in its name
 * @throws MemspoolError ENVELOPE_NOT_JSON, ENVELOPE_ID_MISMATCH, ENVELOPE_CHECKSUM_MISMATCH,
 *   ENVELOPE_RECORD_INVALID; CaptureQueueSchemaError for an envelope of a newer program
 */
export function decodeEnvelope(bytes: Buffer, ulid: string): Envelope {
  const name = `pending-${ulid}.json`;
  const text = bytes.toString("utf8");
  const parsed = parseObject(text);
  if (!parsed) throw fault("ENVELOPE_NOT_JSON", name, "is not a JSON object");
  const { schema_version: version } = parsed;
  if (version !== undefined && version !== SCHEMA_VERSION) {
    throw new CaptureQueueSchemaError(name, nameable(version));
  }
  if (parsed.ulid !== ulid) throw fault("ENVELOPE_ID_MISMATCH", name, "holds another id");
  const { appended_at: appendedAt, sha256 } = parsed;
  const head = envelopeHead(ulid, String(appendedAt));
  if (
    !checksumHolds(bytes, parsed.checksum) ||
    !text.startsWith(head) ||
    !TAIL.test(text.slice(-TAIL_CHARS))
  ) {
    throw fault("ENVELOPE_CHECKSUM_MISMATCH", name, "does not match its checksum");
  }
  const { record } = parsed;
  if (
    !isRecord(record) ||
    typeof sha256 !== "string" ||
    Number.isNaN(Date.parse(`${appendedAt}`))
  ) {
    throw fault("ENVELOPE_RECORD_INVALID", name, "holds no record of this version");
  }
  return {
    ulid,
    appendedAt: appendedAt as string,
    record,
    recordJson: text.slice(head.length, -TAIL_CHARS),
    sha256,
  };
}

function envelopeHead(ulid: string, appendedAt: string): string {
  return `{"ulid":"${ulid}","appended_at":"${appendedAt}","record":`;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined; // a SyntaxError is the answer to the question, not a failure
  }
}

/** What a message may say of a version that could be anything, of any size. */
function nameable(version: unknown): unknown {
  if (typeof version === "string") return version.slice(0, 64);
  return typeof version === "object" && version !== null ? "that is no number" : version;
}

function checksumHolds(bytes: Buffer, checksum: unknown): boolean {
  const proved = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_TAIL_BYTES));
  return createHash("sha256").update(proved).digest("hex") === checksum;
}

type EnvelopeFault =
  | "ENVELOPE_NOT_JSON"
  | "ENVELOPE_ID_MISMATCH"
  | "ENVELOPE_CHECKSUM_MISMATCH"
  | "ENVELOPE_RECORD_INVALID";

function fault(code: EnvelopeFault, name: string, what: string): MemspoolError {
  return new MemspoolError(
    code,
    `${name} ${what}. It was damaged or changed outside memspool and will be quarantined; ` +
      "restore it from a backup if the record matters.",
    { details: { file: name } },
  );
}
