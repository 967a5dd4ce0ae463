/**
 * Finishes what a crash cut short between an audit line and the removal it speaks of.
 *
 * Guarantees: removes a pending name only if the audit log says that this very envelope left the
 * queue, and, for a spilled one, only if a segment still holds the same bytes: an id that was
 * captured again under `retry_ulid` meanwhile is another envelope and stays, and so does a dropped
 * one that was imported or sent back since. A record whose mark
 * another process holds is left to it. Repeating it is harmless.
 */
import { type DurableFsSync, factsIfThere, unlinkIfThere } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import type { AuditLine } from "./audit-line.ts";
import { auditTail } from "./audit-read.ts";
import type { Claims } from "./claim.ts";
import { pendingPath, type QueueLayout } from "./layout.ts";
import { type ReadEnvelope, readEnvelope } from "./read-envelope.ts";
import { listSegmentsSync, readSegmentFile } from "./segment-file.ts";
import { readSegment, segmentPath } from "./spill-segment.ts";

export interface FinishPruneParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly claims: Claims;
}

/** A crash leaves at most the lines of its last few batches undone. */
const TAIL_BYTES_MAX = 1_048_576;

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
  spilled: SpilledEnvelope | undefined,
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
      (line.disposition === "dropped"
        ? isOlder(fs, pendingPath(layout, ulid), line)
        : // Looked at last: a segment may be ingested, and go, while we compare.
          isStillSpilled(fs, envelope, spilled));
    if (isTheSame) unlinkIfThere(fs, pendingPath(layout, ulid));
  } finally {
    if (isTheSame) claim.release();
    else claim.giveBack();
  }
  return isTheSame;
}

/**
 * Whether the file was there when the line was written. One that is younger came back: imported from
 * an export, under its own id and time, or out of quarantine. That one nobody has dropped.
 */
function isOlder(fs: DurableFsSync, path: string, { ts }: AuditLine): boolean {
  const facts = factsIfThere(fs, path);
  return facts !== undefined && Math.floor(facts.mtimeMs) <= Date.parse(ts);
}

interface SpilledEnvelope {
  readonly bytes: Buffer;
  /** Of its segment. */
  readonly path: string;
}

function isStillSpilled(
  fs: DurableFsSync,
  envelope: ReadEnvelope,
  spilled: SpilledEnvelope | undefined,
): boolean {
  if (!spilled?.bytes.equals(envelope.bytes)) return false;
  return factsIfThere(fs, spilled.path) !== undefined;
}

/** What the segments hold of these ids. */
function spilledEnvelopes(
  { fs, layout }: FinishPruneParts,
  audited: ReadonlyMap<string, AuditLine>,
): Map<string, SpilledEnvelope> {
  const wanted = [...audited.values()]
    .filter(({ disposition }) => disposition === "spilled")
    .map(({ dropped_ulid: ulid }) => ulid);
  const found = new Map<string, SpilledEnvelope>();
  if (wanted.length === 0) return found;
  for (const { name, first, last } of listSegmentsSync(fs, layout)) {
    if (!wanted.some((ulid) => ulid >= first && ulid <= last)) continue;
    const file = readIfThere(fs, layout, name);
    if (!file) continue;
    for (const { ulid, bytes } of readSegment(file).envelopes) {
      if (audited.has(ulid)) found.set(ulid, { bytes, path: segmentPath(layout, name) });
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

function readIfThere(fs: DurableFsSync, layout: QueueLayout, name: string): Buffer | undefined {
  try {
    return readSegmentFile(fs, layout, name);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined; // not readable now: its records stay pending too
  }
}
