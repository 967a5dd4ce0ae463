/**
 * Why something lies in quarantine, as the file beside it says. Pure.
 *
 * Guarantees: what {@link encodeReason} made, {@link decodeReason} gives back; a file that is cut,
 * flipped or zeroed anywhere is undefined, for its last field is a CRC-32 of all that stands before.
 */
import { crc32 } from "node:zlib";
import { z } from "zod";

const reasonSchema = z.object({
  ulid: z.string(),
  code: z.string(),
  /** Never a record's text. */
  message: z.string(),
  attempts: z.int(),
  /** ISO 8601. */
  quarantined_at: z.string(),
});

export type ReasonFile = Readonly<z.infer<typeof reasonSchema>>;

const CHECKSUM = /^,"crc32":"([0-9a-f]{8})"\}$/;
const CHECKSUM_BYTES = ',"crc32":"00000000"}'.length;

export function encodeReason(reason: ReasonFile): string {
  const text = JSON.stringify({
    ulid: reason.ulid,
    code: reason.code,
    message: reason.message,
    attempts: reason.attempts,
    quarantined_at: reason.quarantined_at,
  }).slice(0, -1);
  return `${text},"crc32":"${checksumOf(Buffer.from(text))}"}`;
}

/** @param bytes the whole file */
export function decodeReason(bytes: Buffer): ReasonFile | undefined {
  const at = bytes.length - CHECKSUM_BYTES;
  const checksum = CHECKSUM.exec(bytes.toString("latin1", Math.max(at, 0)))?.[1];
  const proven = bytes.subarray(0, Math.max(at, 0));
  if (checksum === undefined || checksum !== checksumOf(proven)) return undefined;
  try {
    return reasonSchema.safeParse(JSON.parse(`${proven.toString("utf8")}}`)).data;
  } catch {
    return undefined; // not JSON: not written by us
  }
}

function checksumOf(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, "0");
}
