/**
 * One line of the overflow audit log: its shape, written and read. Pure.
 *
 * Guarantees: what {@link encodeAuditLine} wrote, {@link parseAuditLine} gives back, and any flipped
 * bit, cut or zeroed stretch is noticed by the line's CRC-32: recovery removes envelopes by what
 * these lines say.
 */
import { crc32 } from "node:zlib";
import { z } from "zod";
import { ulidSchema } from "../record/memory-record.ts";

/** What became of a record that left the full queue. */
export type Disposition = "spilled" | "dropped";

const auditLineSchema = z.object({
  /** ISO 8601. */
  ts: z.string(),
  reason: z.literal("queue_overflow"),
  dropped_ulid: ulidSchema,
  /** ISO 8601, as in the envelope. */
  appended_at: z.string(),
  queue_size_before_prune: z.int(),
  disposition: z.enum(["spilled", "dropped"]),
  /** Of the text; the text itself is never here. */
  sha256: z.string(),
});

export type AuditLine = Readonly<z.infer<typeof auditLineSchema>>;

/** What a count needs to know of a line. */
export interface AuditLineFacts {
  readonly ts: string;
  readonly disposition: Disposition;
}

/** The last field: over every byte of the line before it. */
const CHECKSUM = /,"crc32":"([0-9a-f]{8})"\}$/;
const CHECKSUM_CHARS = ',"crc32":"00000000"}'.length;
/** What stands before it, and where the line says its time. */
const DISPOSITION = /,"disposition":"(spilled|dropped)","sha256":"[^"]*"$/;
const TS = /^\{"ts":"([^"]*)"/;

/** Without a line feed. */
export function encodeAuditLine(line: AuditLine): string {
  const text = JSON.stringify({
    ts: line.ts,
    reason: line.reason,
    dropped_ulid: line.dropped_ulid,
    appended_at: line.appended_at,
    queue_size_before_prune: line.queue_size_before_prune,
    disposition: line.disposition,
    sha256: line.sha256,
  }).slice(0, -1);
  return `${text},"crc32":"${checksumOf(text)}"}`;
}

/** undefined for what is no line of ours: torn by a crash, or damaged. */
export function parseAuditLine(text: string): AuditLine | undefined {
  const proven = provenPart(text);
  if (proven === undefined) return undefined;
  try {
    return auditLineSchema.safeParse(JSON.parse(`${proven}}`)).data;
  } catch {
    return undefined; // not JSON: the caller counts it
  }
}

/** The same, about five times as fast, for those who count lines. */
export function auditLineFacts(text: string): AuditLineFacts | undefined {
  const proven = provenPart(text);
  if (proven === undefined) return undefined;
  const ts = TS.exec(proven)?.[1];
  const disposition = DISPOSITION.exec(proven)?.[1];
  if (ts === undefined || disposition === undefined) return undefined;
  return { ts, disposition: disposition as Disposition };
}

function provenPart(text: string): string | undefined {
  const at = text.length - CHECKSUM_CHARS;
  if (at <= 0) return undefined;
  const checksum = CHECKSUM.exec(text.slice(at))?.[1];
  const proven = text.slice(0, at);
  return checksum !== undefined && checksum === checksumOf(proven) ? proven : undefined;
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
