/**
 * Where else than in the old store records lie: the done archive, overflow segments, the queue.
 *
 * Guarantees: verified envelopes, oldest file first, each file read piece by piece; what is damaged
 * is counted, and reading goes on behind it; of a file that the disk can not read to its end (EIO),
 * the rest is left out and that is counted. Changes nothing on disk. Records may move on while this
 * reads: what has left a place is not an error, because it was, or will be, seen in the next.
 */
import { join } from "node:path";
import { MemspoolError } from "../../errors.ts";
import type { DurableFsSync } from "../../platform/durable-fs-sync.ts";
import { isErrno } from "../../platform/errno.ts";
import { envelopeOnLine, listArchive, readMembers } from "../../queue/archive-file.ts";
import { pendingPath, type QueueLayout } from "../../queue/layout.ts";
import { listPendingSync } from "../../queue/pending-list.ts";
import { readEnvelope } from "../../queue/read-envelope.ts";
import { listSegmentsSync } from "../../queue/segment-file.ts";
import { segmentPath } from "../../queue/spill-segment.ts";
import type { Envelope } from "../../record/envelope.ts";

export interface SourceParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
}

/** Counted while sources are read. */
export interface SourceTally {
  archiveFiles: number;
  skippedStretches: number;
  skippedBytes: number;
  /** Of spill and queue: they stay where they are. */
  unreadEnvelopes: number;
}

/** May yield empty lists, so that the reader's thread can do something else. */
export function* archivedEnvelopes(parts: SourceParts, tally: SourceTally): Generator<Envelope[]> {
  for (const name of listArchive(parts.fs, parts.layout)) {
    tally.archiveFiles++;
    const path = join(parts.layout.doneDir, name);
    const onSkipped = ({ bytes }: { bytes: number }) => {
      tally.skippedStretches++;
      tally.skippedBytes += bytes;
    };
    const members = readMembers(parts.fs, path, { onSkipped });
    for (const { lines } of upToBadSector(members, () => tally.skippedStretches++)) {
      const envelopes = lines.flatMap((line) => envelopeOnLine(line) ?? []);
      // A member is proved by its CRC: a line that is none was written so.
      if (envelopes.length < lines.length) tally.skippedStretches++;
      yield envelopes;
    }
  }
}

export function* spilledEnvelopes(parts: SourceParts, tally: SourceTally): Generator<Envelope[]> {
  for (const { name, count } of listSegmentsSync(parts.fs, parts.layout)) {
    const path = segmentPath(parts.layout, name);
    let read = 0;
    let isGone = true;
    const members = readMembers(parts.fs, path, { onSkipped: () => {} });
    const stays = () => {
      isGone = false;
    };
    for (const { lines } of upToBadSector(members, stays)) {
      stays();
      const envelopes = lines.flatMap((line) => envelopeOnLine(line) ?? []);
      read += envelopes.length;
      yield envelopes;
    }
    isGone &&= hasMovedOn(parts.fs, path);
    if (!isGone) tally.unreadEnvelopes += Math.max(0, count - read);
  }
}

export function* pendingEnvelopes(parts: SourceParts, tally: SourceTally): Generator<Envelope[]> {
  for (const ulid of listPendingSync(parts.fs, parts.layout).ulids) {
    try {
      const envelope = readEnvelope(parts.fs, pendingPath(parts.layout, ulid), ulid);
      yield envelope ? [envelope] : [];
    } catch (error) {
      // The file's own fault, for the ingester to judge.
      if (!(error instanceof MemspoolError || isErrno(error, "EIO"))) throw error;
      tally.unreadEnvelopes++;
    }
  }
}

/** A disk with a bad sector is what many a rebuild is for: the file is read up to there. */
function* upToBadSector<T>(pieces: Iterable<T>, onBad: () => void): Generator<T> {
  try {
    yield* pieces;
  } catch (error) {
    if (!isErrno(error, "EIO")) throw error;
    onBad();
  }
}

/** Into the store; what can not be looked at has not. */
function hasMovedOn(fs: DurableFsSync, path: string): boolean {
  try {
    fs.facts(path);
    return false;
  } catch (error) {
    return isErrno(error, "ENOENT");
  }
}
