/**
 * Sets aside what came out of a segment: a bad record as an envelope of its own, and the segment
 * itself when it is damaged.
 *
 * Guarantees: as quarantine.ts. A record's bytes are durable in quarantine before its segment may
 * go; the same bytes already there are a success, so repeating it after a crash adds nothing. A
 * damaged segment is moved unchanged (reason file → link → directory fsync → unlink), so that every
 * byte of it is kept.
 */
import { basename, join } from "node:path";
import { factsIfThere } from "../platform/durable-fs-sync.ts";
import { tempPath } from "./layout.ts";
import { placeBytes } from "./place-bytes.ts";
import {
  moveAside,
  namesSpent,
  type QuarantineParts,
  type QuarantineReason,
  quarantinePath,
  SAME_NAME_MAX,
  writeReason,
} from "./quarantine.ts";
import { type SegmentContent, type SegmentName, segmentPath } from "./spill-segment.ts";

/**
 * Effect on disk: `pending-<ulid>.json` in quarantine, numbered if the name is taken.
 * @returns the file's name, or undefined if these bytes lay there already
 * @throws the system error of the failing call
 */
export function quarantineBytes(
  parts: QuarantineParts,
  ulid: string,
  bytes: Uint8Array,
  reason: QuarantineReason,
): string | undefined {
  const { fs, layout } = parts;
  for (let number = 1; number <= SAME_NAME_MAX; number++) {
    const path = quarantinePath(layout, ulid, number);
    const isFree = factsIfThere(fs, path) === undefined;
    if (isFree) writeReason(parts, path, ulid, reason);
    const placed = placeBytes(fs, tempPath(layout, ulid), path, bytes);
    if (placed === "placed") return basename(path);
    if (placed === "same") return undefined;
  }
  throw namesSpent();
}

/** What a segment's name promises and its file does not hold. */
export interface SegmentDamage {
  readonly recordsLost: number;
  readonly bytesSkipped: number;
  readonly reason: QuarantineReason;
}

/** undefined for a whole one. A file that ends before its last record shows in its count alone. */
export function segmentDamage(
  { count }: SegmentName,
  { envelopes, faults, skipped }: SegmentContent,
): SegmentDamage | undefined {
  const recordsLost = Math.max(0, count - envelopes.length);
  if (recordsLost === 0 && faults.length === 0 && skipped.length === 0) return undefined;
  const bytesSkipped = skipped.reduce((sum, { bytes }) => sum + bytes, 0);
  const code = faults[0]?.error.code ?? "ENVELOPE_UNREADABLE";
  const message =
    `Of ${count} spilled records ${recordsLost} could not be read (${bytesSkipped} bytes of the ` +
    "file are no records). The others were ingested; the file is kept as it was found.";
  return { recordsLost, bytesSkipped, reason: { code, message, attempts: 1 } };
}

/**
 * Effect on disk: the segment under its own name in quarantine, `<name>.reason.json` beside it.
 * @returns false if it is gone: another ingester has moved it
 * @throws the system error of the failing call; the segment is still in the overflow directory then
 */
export function quarantineSegment(
  parts: QuarantineParts,
  segment: SegmentName,
  reason: QuarantineReason,
): boolean {
  const { fs, layout } = parts;
  const from = segmentPath(layout, segment.name);
  if (!factsIfThere(fs, from)) return false;
  const to = join(layout.quarantineDir, segment.name);
  writeReason(parts, to, segment.first, reason);
  return moveAside(fs, from, to);
}
