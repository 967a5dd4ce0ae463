/**
 * What lies in the queue: pending envelopes, then spilled records, in the direction in which they move.
 *
 * Guarantees: an envelope that moves on while it is looked at is not counted here; it is found in its
 * next place. With hashes every byte is proved by its checksum.
 */
import { CaptureQueueSchemaError, MemspoolError } from "../../errors.ts";
import { isErrno } from "../../platform/errno.ts";
import { decodeMembers, lineUlid } from "../../queue/archive-member.ts";
import { pendingPath } from "../../queue/layout.ts";
import { listPendingSync } from "../../queue/pending-list.ts";
import { readEnvelope } from "../../queue/read-envelope.ts";
import { listSegmentsSync, readSegmentFile } from "../../queue/segment-file.ts";
import { readSegmentLine, type SegmentName } from "../../queue/spill-segment.ts";
import type { Pass } from "./pass.ts";
import { PENDING, SPILLED } from "./places.ts";

/** Pending ids, by their names; none if there is no queue yet. @throws the directory's error */
export function pendingIds(pass: Pass): readonly string[] {
  const { fs, layout } = pass.parts;
  try {
    return listPendingSync(fs, layout).ulids;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

export async function lookAtPending(pass: Pass): Promise<void> {
  const ulids = pendingIds(pass);
  for (const [n, ulid] of ulids.entries()) {
    if (pass.hashes) lookAtEnvelope(pass, ulid);
    else pass.mark(ulid, PENDING);
    await pass.pace.worked("pending", n + 1, ulids.length);
  }
  pass.pace.finished("pending");
}

function lookAtEnvelope(pass: Pass, ulid: string): void {
  const { fs, layout } = pass.parts;
  try {
    if (readEnvelope(fs, pendingPath(layout, ulid), ulid) === undefined) return;
  } catch (error) {
    if (error instanceof CaptureQueueSchemaError) pass.findings.add("newer_schema", () => ulid);
    else if (error instanceof MemspoolError) pass.findings.add("pending_damaged", () => ulid);
    else pass.unreadable(`pending-${ulid}.json`, error);
  }
  pass.count("envelopes");
  pass.mark(ulid, PENDING);
}

/** @param seen names that were looked at before, to which this adds: a segment never changes */
export async function lookAtSegments(pass: Pass, seen: Set<string>): Promise<void> {
  const { fs, layout } = pass.parts;
  const segments = listSegmentsSync(fs, layout).filter(({ name }) => !seen.has(name));
  const total = segments.reduce((sum, { count }) => sum + count, 0);
  let done = 0;
  for (const segment of segments) {
    seen.add(segment.name);
    try {
      const file = readSegmentFile(fs, layout, segment.name);
      if (file !== undefined) await lookAtSegment(pass, segment, file, done, total);
    } catch (error) {
      pass.unreadable(segment.name, error);
    }
    done += segment.count;
  }
  pass.pace.finished("spilled");
}

async function lookAtSegment(
  pass: Pass,
  segment: SegmentName,
  file: Buffer,
  doneBefore: number,
  total: number,
): Promise<void> {
  let whole = 0;
  for (const { lines } of decodeMembers(file, () => {})) {
    for (const line of lines) if (lookAtLine(pass, line, segment.name)) whole++;
    await pass.pace.worked("spilled", Math.min(doneBefore + whole, total), total);
  }
  // A stretch that is no member held records, or the name would not count them.
  if (whole < segment.count) pass.findings.add("segment_damaged", () => segment.name);
}

function lookAtLine(pass: Pass, line: Buffer, segment: string): boolean {
  pass.count("envelopes");
  const ulid = lineUlid(line);
  if (ulid !== undefined) pass.mark(ulid, SPILLED);
  if (!pass.hashes) return ulid !== undefined;
  const { fault } = readSegmentLine(line);
  if (fault !== undefined) pass.findings.add("spilled_damaged", () => ulid ?? segment);
  return fault === undefined;
}
