/**
 * A segment of spilled records: its name and its bytes. docs/QUEUE_FORMAT.md, "Overflow". Pure.
 *
 * The name says what is inside, so that a listing alone answers how many records are spilled and
 * which segment may hold an id. The content is made of the done archive's members, a few records
 * each, so that damage costs those few and reading goes on behind it.
 *
 * Guarantees: what {@link encodeSegment} made, {@link readSegment} gives back verified, record by
 * record; any damage is noticed and told, and nothing damaged is given back.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { MemspoolError } from "../errors.ts";
import { decodeEnvelope } from "../record/envelope.ts";
import { decodeMembers, encodeMember, lineUlid, type SkippedStretch } from "./archive-member.ts";
import type { QueueLayout } from "./layout.ts";
import type { ReadEnvelope } from "./read-envelope.ts";

export interface SegmentName {
  /** File name inside the overflow directory. */
  readonly name: string;
  /** Least and greatest id inside. */
  readonly first: string;
  readonly last: string;
  /** Records inside. */
  readonly count: number;
}

/** A line that is no whole envelope. Its id is what the line says, if it says one. */
export interface SegmentFault {
  readonly ulid: string | undefined;
  readonly bytes: Buffer;
  readonly error: MemspoolError;
}

export interface SegmentContent {
  /** Verified, in the order of the file. */
  readonly envelopes: readonly ReadEnvelope[];
  readonly faults: readonly SegmentFault[];
  /** Stretches of the file that are no member. */
  readonly skipped: readonly SkippedStretch[];
}

/** Records and bytes after which a member ends: what one damaged byte can cost. */
const MEMBER_COUNT_MAX = 16;
const MEMBER_BYTES_MAX = 262_144;
export const SEGMENT_COUNT_MAX = 500;

const ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}";
const NAME = new RegExp(`^(${ULID})-(${ULID})-(\\d{1,6})-[0-9a-f]{12}\\.ndjson\\.gz$`);

/** A name that no other segment has; names sort by their oldest record. */
export function newSegmentName(first: string, last: string, count: number): string {
  return `${first}-${last}-${count}-${randomBytes(6).toString("hex")}.ndjson.gz`;
}

/** undefined for every name that is no segment's. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const [, first, last, count] = NAME.exec(name) ?? [];
  if (first === undefined || last === undefined) return undefined;
  return { name, first, last, count: Number(count) };
}

/** Segments among a directory's names, oldest first. */
export function sortSegments(names: readonly string[]): SegmentName[] {
  return names
    .map(parseSegmentName)
    .filter((segment) => segment !== undefined)
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

export function segmentPath(layout: QueueLayout, name: string): string {
  return join(layout.overflowDir, name);
}

/** @param envelopes files' bytes, in id order */
export function encodeSegment(envelopes: readonly Uint8Array[]): Buffer {
  const members: Buffer[] = [];
  let member: Uint8Array[] = [];
  let bytes = 0;
  for (const envelope of envelopes) {
    const full = member.length >= MEMBER_COUNT_MAX || bytes + envelope.length > MEMBER_BYTES_MAX;
    if (member.length > 0 && full) {
      members.push(encodeMember(member));
      member = [];
      bytes = 0;
    }
    member.push(envelope);
    bytes += envelope.length;
  }
  if (member.length > 0) members.push(encodeMember(member));
  return Buffer.concat(members);
}

/** @param file a segment's bytes */
export function readSegment(file: Buffer): SegmentContent {
  const envelopes: ReadEnvelope[] = [];
  const faults: SegmentFault[] = [];
  const skipped: SkippedStretch[] = [];
  for (const { lines } of decodeMembers(file, (stretch) => skipped.push(stretch))) {
    for (const bytes of lines) {
      const { envelope, fault } = readSegmentLine(bytes);
      if (envelope) envelopes.push(envelope);
      else faults.push(fault);
    }
  }
  return { envelopes, faults, skipped };
}

/** One line, verified, or why it is no envelope. */
export function readSegmentLine(
  bytes: Buffer,
):
  | { readonly envelope: ReadEnvelope; readonly fault?: undefined }
  | { readonly envelope?: undefined; readonly fault: SegmentFault } {
  const ulid = lineUlid(bytes);
  try {
    // Without an id of its own a line is judged like any damaged file.
    return { envelope: { ...decodeEnvelope(bytes, ulid ?? ""), bytes } };
  } catch (error) {
    if (!(error instanceof MemspoolError)) throw error;
    return { fault: { ulid, bytes, error } };
  }
}
