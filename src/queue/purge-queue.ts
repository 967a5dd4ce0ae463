/**
 * Takes records out of queue, spill and quarantine, with their marks, reasons and temp files.
 *
 * Guarantees: what is not to go stays; a segment is written anew without them and is durable under
 * its new name before the old one goes, so a crash leaves the others in one of the two, or in both,
 * which is ingested once. The removals are durable when a function returns. A pending record that
 * another process holds stays and is told: that process may be writing it somewhere else.
 */
import { join } from "node:path";
import { MemspoolError } from "../errors.ts";
import {
  type DurableFsSync,
  factsIfThere,
  readRegularFile,
  syncDirectorySync,
  unlinkIfThere,
} from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import { decodeEnvelope, type Envelope } from "../record/envelope.ts";
import { ENVELOPE_BYTES_MAX } from "../record/limits.ts";
import { decodeMembers, lineUlid } from "./archive-member.ts";
import type { Claims } from "./claim.ts";
import { isLeftover, pendingPath, quarantinedUlid, tempPath } from "./layout.ts";
import { sortNames } from "./pending-list.ts";
import { placeBytes } from "./place-bytes.ts";
import {
  namesIn,
  type PurgeFileParts,
  rewriteWithout,
  sweepTemps,
  syncIfThere,
} from "./purge-archive.ts";
import { isWanted, stretchHoldsAny, type Wanted } from "./purge-members.ts";
import { reasonPath } from "./quarantine.ts";
import { listSegmentsSync, readSegmentFile, SEGMENT_BYTES_MAX } from "./segment-file.ts";
import {
  encodeSegment,
  newSegmentName,
  parseSegmentName,
  type SegmentName,
  segmentPath,
} from "./spill-segment.ts";

export interface PurgeQueueParts extends PurgeFileParts {
  readonly claims: Claims;
}

/** @returns ids that another process holds right now */
export function purgePending(parts: PurgeQueueParts, ulids: Wanted): string[] {
  const { fs, layout, claims } = parts;
  const { ulids: pending, marked } = sortNames(namesIn(fs, layout.dir));
  const held: string[] = [];
  for (const ulid of new Set([...pending, ...marked])) {
    if (!ulids.has(ulid)) continue;
    const claim = claims.take(ulid, { dueOrNot: true });
    if (!claim) {
      held.push(ulid);
      continue;
    }
    try {
      unlinkIfThere(fs, pendingPath(layout, ulid));
    } catch (error) {
      // Held on, nobody could take it again before this process ends, not even this one.
      claim.fail(claim.state);
      throw error;
    }
    claim.release();
  }
  syncIfThere(fs, layout.dir);
  return held;
}

/** Envelopes and segments that somebody was writing when it died. */
export function purgeTemps({ fs, layout }: PurgeFileParts, ulids: Wanted): void {
  for (const name of namesIn(fs, layout.dir)) {
    if (!isLeftover(name)) continue;
    const path = join(layout.dir, name);
    const bytes = contentOf(fs, path, SEGMENT_BYTES_MAX);
    if (bytes && (isWanted(bytes, ulids) || membersHoldAny(bytes, ulids))) unlinkIfThere(fs, path);
  }
  syncIfThere(fs, layout.dir);
}

export function purgeSpilled({ fs, layout }: PurgeFileParts, ulids: Wanted): void {
  for (const segment of listSegmentsSync(fs, layout)) {
    const bytes = readSegmentFile(fs, layout, segment.name);
    if (!bytes || !membersHoldAny(bytes, ulids)) continue;
    publishRest({ fs, layout }, segment, bytes, ulids);
    // Crash here: the others are in both.
    unlinkIfThere(fs, segmentPath(layout, segment.name));
  }
  syncIfThere(fs, layout.overflowDir);
}

/** @param isRepetition the same turn, under whichever id */
export function purgeQuarantine(
  parts: PurgeFileParts,
  ulids: Wanted,
  isRepetition: (envelope: Envelope) => boolean,
): void {
  const { fs, layout } = parts;
  sweepTemps(parts, layout.quarantineDir);
  for (const name of namesIn(fs, layout.quarantineDir)) {
    const path = join(layout.quarantineDir, name);
    const ulid = quarantinedUlid(name);
    if (parseSegmentName(name)) {
      rewriteWithout(fs, layout.quarantineDir, name, ulids);
      if (!factsIfThere(fs, path)) unlinkIfThere(fs, reasonPath(path));
    } else if (ulid !== undefined && isToGo(fs, path, ulid, ulids, isRepetition)) {
      unlinkIfThere(fs, path);
      unlinkIfThere(fs, reasonPath(path));
    }
  }
  syncIfThere(fs, layout.quarantineDir);
}

/** Ids under which the same turn lies in quarantine. */
export function quarantinedRepetitions(
  { fs, layout }: PurgeFileParts,
  isRepetition: (envelope: Envelope) => boolean,
): string[] {
  return namesIn(fs, layout.quarantineDir).flatMap((name) => {
    const ulid = quarantinedUlid(name);
    if (ulid === undefined) return [];
    const envelope = envelopeAt(fs, join(layout.quarantineDir, name), ulid);
    return envelope && isRepetition(envelope) ? [ulid] : [];
  });
}

function isToGo(
  fs: DurableFsSync,
  path: string,
  ulid: string,
  ulids: Wanted,
  isRepetition: (envelope: Envelope) => boolean,
): boolean {
  if (ulids.has(ulid)) return true;
  const bytes = contentOf(fs, path, ENVELOPE_BYTES_MAX);
  if (!bytes) return false;
  // One that was renamed lies here because its id is not its name's.
  if (isWanted(bytes, ulids)) return true;
  const envelope = envelopeIn(bytes, ulid);
  return envelope !== undefined && isRepetition(envelope);
}

/** A segment's records but those, under a new name: readers know segments by their names. */
function publishRest(
  { fs, layout }: PurgeFileParts,
  { first, last, count }: SegmentName,
  bytes: Buffer,
  ulids: Wanted,
): void {
  const kept: Buffer[] = [];
  const damaged: Buffer[] = [];
  let removed = 0;
  const onSkipped = ({ offset, bytes: length }: { offset: number; bytes: number }) => {
    const stretch = bytes.subarray(offset, offset + length);
    if (!stretchHoldsAny(stretch, ulids)) damaged.push(stretch);
  };
  for (const { lines } of decodeMembers(bytes, onSkipped)) {
    for (const line of lines) {
      if (isWanted(line, ulids)) removed++;
      else kept.push(line);
    }
  }
  const countLeft = Math.max(count - removed, kept.length);
  if (kept.length === 0 && damaged.length === 0) return;
  const least = (kept[0] && lineUlid(kept[0])) ?? first;
  const greatest = (kept.at(-1) && lineUlid(kept.at(-1) as Buffer)) ?? last;
  const name = newSegmentName(least, greatest, countLeft);
  // What is damaged stays with them, for the ingester to judge.
  const content = Buffer.concat([encodeSegment(kept), ...damaged]);
  placeBytes(fs, tempPath(layout, least), segmentPath(layout, name), content);
  syncDirectorySync(fs, layout.overflowDir);
}

function membersHoldAny(bytes: Buffer, ulids: Wanted): boolean {
  let holds = false;
  const onSkipped = ({ offset, bytes: length }: { offset: number; bytes: number }) => {
    holds ||= stretchHoldsAny(bytes.subarray(offset, offset + length), ulids);
  };
  for (const { lines } of decodeMembers(bytes, onSkipped)) {
    if (lines.some((line) => isWanted(line, ulids))) return true;
  }
  return holds;
}

/** undefined for what is gone, no file, or too large to be one of ours. */
function contentOf(fs: DurableFsSync, path: string, bytesMax: number): Buffer | undefined {
  try {
    return readRegularFile(fs, path, bytesMax);
  } catch (error) {
    if (isErrno(error, "EISDIR", "EINVAL", "EFBIG", "ELOOP")) return undefined;
    throw error;
  }
}

/** undefined for what is gone, or no whole envelope of this id. */
export function envelopeAt(fs: DurableFsSync, path: string, ulid: string): Envelope | undefined {
  const bytes = contentOf(fs, path, ENVELOPE_BYTES_MAX);
  return bytes && envelopeIn(bytes, ulid);
}

function envelopeIn(bytes: Buffer, ulid: string): Envelope | undefined {
  try {
    return decodeEnvelope(bytes, ulid);
  } catch (error) {
    if (error instanceof MemspoolError) return undefined; // damaged: nobody can say what it says
    throw error;
  }
}
