/**
 * Finishes what a crash cut short between an audit line and the removal it speaks of.
 *
 * Guarantees: removes a pending name only if the audit log says that this very envelope left the
 * queue, and, for a spilled one, only if a segment still holds the same bytes: an id that was
 * captured again under `retry_ulid` meanwhile is another envelope and stays. A record whose mark
 * another process holds is left to it. Repeating it is harmless.
 */
import { type DurableFsSync, unlinkIfThere } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import type { AuditLine } from "./audit-line.ts";
import { auditTail } from "./audit-read.ts";
import type { Claims } from "./claim.ts";
import { pendingPath, type QueueLayout } from "./layout.ts";
import { type ReadEnvelope, readEnvelope } from "./read-envelope.ts";
import { readSegment, segmentPath, sortSegments } from "./spill-segment.ts";

export interface FinishPruneParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly claims: Claims;
}

/** A crash leaves at most the lines of its last few batches undone. */
const TAIL_BYTES_MAX = 1_048_576;
const SEGMENT_BYTES_MAX = 64 * 1_048_576;

/**
 * @param pending ids that lie in the queue; those that are finished are taken out of it
 * @returns how many were finished
 * @throws system errors of directory and files
 */
export function finishPrunes(parts: FinishPruneParts, pending: Set<string>): number {
  const audited = new Map<string, AuditLine>();
  for (const line of auditTail(parts.fs, parts.layout, TAIL_BYTES_MAX)) {
    if (pending.has(line.dropped_ulid)) audited.set(line.dropped_ulid, line);
  }
  if (audited.size === 0) return 0;
  const spilled = spilledEnvelopes(parts, audited);
  let finished = 0;
  for (const [ulid, line] of audited) {
    if (finishOne(parts, line, spilled.get(ulid))) {
      pending.delete(ulid);
      finished++;
    }
  }
  return finished;
}

function finishOne(
  parts: FinishPruneParts,
  line: AuditLine,
  inSegment: ReadEnvelope | undefined,
): boolean {
  const { fs, layout, claims } = parts;
  const ulid = line.dropped_ulid;
  const claim = claims.take(ulid, { dueOrNot: true });
  if (!claim) return false;
  let isTheSame = false;
  try {
    const envelope = readIfWhole(fs, layout, ulid);
    isTheSame =
      envelope !== undefined &&
      envelope.appendedAt === line.appended_at &&
      envelope.sha256 === line.sha256 &&
      (line.disposition === "dropped" || inSegment?.bytes.equals(envelope.bytes) === true);
    if (isTheSame) unlinkIfThere(fs, pendingPath(layout, ulid));
  } finally {
    if (isTheSame || claim.state.attempts === 0) claim.release();
    else claim.fail(claim.state);
  }
  return isTheSame;
}

/** What the segments hold of these ids. */
function spilledEnvelopes(
  { fs, layout }: FinishPruneParts,
  audited: ReadonlyMap<string, AuditLine>,
): Map<string, ReadEnvelope> {
  const wanted = [...audited.values()]
    .filter(({ disposition }) => disposition === "spilled")
    .map(({ dropped_ulid: ulid }) => ulid);
  const found = new Map<string, ReadEnvelope>();
  if (wanted.length === 0) return found;
  for (const { name, first, last } of sortSegments(fs.names(layout.overflowDir))) {
    if (!wanted.some((ulid) => ulid >= first && ulid <= last)) continue;
    const bytes = readIfThere(fs, segmentPath(layout, name));
    if (!bytes) continue;
    for (const envelope of readSegment(bytes).envelopes) {
      if (audited.has(envelope.ulid)) found.set(envelope.ulid, envelope);
    }
  }
  return found;
}

/** undefined if it is gone or not whole: then it is not what was audited. */
function readIfWhole(
  fs: DurableFsSync,
  layout: QueueLayout,
  ulid: string,
): ReadEnvelope | undefined {
  try {
    return readEnvelope(fs, pendingPath(layout, ulid), ulid);
  } catch {
    return undefined; // the ingester judges it, and reports why it can not be read
  }
}

function readIfThere(fs: DurableFsSync, path: string): Buffer | undefined {
  try {
    const fd = fs.openRead(path);
    try {
      const { kind, bytes } = fs.factsOfDescriptor(fd);
      if (kind !== "file" || bytes > SEGMENT_BYTES_MAX) return undefined;
      const content = Buffer.alloc(bytes);
      for (let filled = 0; filled < bytes; ) {
        const read = fs.readAt(fd, content.subarray(filled), filled);
        if (read === 0) break; // cut meanwhile: what is missing is no member
        filled += read;
      }
      return content;
    } finally {
      fs.close(fd);
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined; // ingested meanwhile, or not readable now: its records stay pending too
  }
}
