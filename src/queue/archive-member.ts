/**
 * One batch of the done archive as one gzip member (RFC 1952), with an extra field that lets a
 * reader step over damage. docs/QUEUE_FORMAT.md, "The done archive". Pure.
 *
 * Guarantees: what {@link encodeMember} made, {@link decodeMembers} gives back; any damage is
 * noticed by a CRC, the damaged stretch is reported, and reading goes on at the next member.
 * Node's own zlib stops at a torn member and reports success after a zero-filled gap.
 */
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";

const HEADER_BYTES = 10;
const EXTRA_BYTES = 16;
/** XLEN, the subfield's id and length, the subfield. */
export const MEMBER_PREFIX_BYTES = HEADER_BYTES + 2 + 4 + EXTRA_BYTES;
const TRAILER_BYTES = 8;
const EXTRA_VERSION = 1;
/** gzip magic, deflate, FEXTRA, no time, unknown system; then XLEN 20, "MS", 16, version. */
export const MEMBER_SIGNATURE = Buffer.from([
  0x1f,
  0x8b,
  8,
  4,
  0,
  0,
  0,
  0,
  0,
  255,
  20,
  0,
  0x4d,
  0x53,
  EXTRA_BYTES,
  0,
  EXTRA_VERSION,
  0,
  0,
  0,
]);
const LENGTH_AT = MEMBER_SIGNATURE.length;
const COUNT_AT = LENGTH_AT + 4;
const CRC_AT = COUNT_AT + 4;

export interface ArchiveMember {
  /** Envelopes, as their files' bytes. */
  readonly lines: readonly Buffer[];
  readonly offset: number;
}

export interface SkippedStretch {
  readonly offset: number;
  readonly bytes: number;
}

/** Where an envelope's line says its id. */
const LINE_ULID = /^\{"ulid":"([0-7][0-9A-HJKMNP-TV-Z]{25})"/;

/** The id that a line says it has; undefined if it says none. Proves nothing. */
export function lineUlid(line: Buffer): string | undefined {
  return LINE_ULID.exec(line.toString("latin1", 0, 64))?.[1];
}

/** @param envelopes files' bytes, none with a line feed in it */
export function encodeMember(envelopes: readonly Uint8Array[]): Buffer {
  const lineFeed = Buffer.from("\n");
  const text = Buffer.concat(envelopes.flatMap((bytes) => [bytes, lineFeed]));
  const data = deflateRawSync(text, { level: 1 });
  const member = Buffer.alloc(MEMBER_PREFIX_BYTES + data.length + TRAILER_BYTES);
  MEMBER_SIGNATURE.copy(member);
  member.writeUInt32LE(member.length, LENGTH_AT);
  member.writeUInt32LE(envelopes.length, COUNT_AT);
  member.writeUInt32LE(crc32(data), CRC_AT);
  data.copy(member, MEMBER_PREFIX_BYTES);
  member.writeUInt32LE(crc32(text), MEMBER_PREFIX_BYTES + data.length);
  member.writeUInt32LE(text.length >>> 0, MEMBER_PREFIX_BYTES + data.length + 4);
  return member;
}

/**
 * How long the member that begins at `at` says it is, in bytes, for those who read a file piece by
 * piece; undefined if none begins there. The member itself may still be cut or damaged.
 */
export function memberBytesAt(file: Buffer, at: number): number | undefined {
  if (at + MEMBER_PREFIX_BYTES > file.length) return undefined;
  const begin = file.subarray(at, at + MEMBER_SIGNATURE.length);
  return begin.equals(MEMBER_SIGNATURE) ? file.readUInt32LE(at + LENGTH_AT) : undefined;
}

/** Yields every whole member of a file's bytes and tells of every stretch that is none. */
export function* decodeMembers(
  file: Buffer,
  onSkipped: (stretch: SkippedStretch) => void,
): Generator<ArchiveMember> {
  let damagedFrom: number | undefined;
  for (let at = 0; at < file.length; ) {
    const member = memberAt(file, at);
    if (member) {
      if (damagedFrom !== undefined) onSkipped({ offset: damagedFrom, bytes: at - damagedFrom });
      damagedFrom = undefined;
      yield { lines: member.lines, offset: at };
      at += member.bytes;
    } else {
      damagedFrom ??= at;
      const next = file.indexOf(MEMBER_SIGNATURE, at + 1);
      at = next === -1 ? file.length : next;
    }
  }
  if (damagedFrom !== undefined) {
    onSkipped({ offset: damagedFrom, bytes: file.length - damagedFrom });
  }
}

function memberAt(file: Buffer, at: number): { lines: Buffer[]; bytes: number } | undefined {
  if (at + MEMBER_PREFIX_BYTES + TRAILER_BYTES > file.length) return undefined;
  if (!file.subarray(at, at + MEMBER_SIGNATURE.length).equals(MEMBER_SIGNATURE)) return undefined;
  const bytes = file.readUInt32LE(at + LENGTH_AT);
  if (bytes < MEMBER_PREFIX_BYTES + TRAILER_BYTES || at + bytes > file.length) return undefined;
  const data = file.subarray(at + MEMBER_PREFIX_BYTES, at + bytes - TRAILER_BYTES);
  if (crc32(data) !== file.readUInt32LE(at + CRC_AT)) return undefined;
  const textBytes = file.readUInt32LE(at + bytes - 4);
  try {
    const text = inflateRawSync(data, { maxOutputLength: Math.max(textBytes, 1) });
    // A torn trailer would make us step into the next member and lose that one too.
    if (text.length !== textBytes) return undefined;
    if (crc32(text) !== file.readUInt32LE(at + bytes - TRAILER_BYTES)) return undefined;
    const lines = splitLines(text);
    return lines.length === file.readUInt32LE(at + COUNT_AT) ? { lines, bytes } : undefined;
  } catch {
    return undefined; // not deflate, or longer than it says: damage, which the caller reports
  }
}

function splitLines(text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(10, start);
    if (end === -1) break;
    lines.push(text.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
