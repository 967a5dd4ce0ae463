/**
 * Sets a bad record aside for good, unchanged, with the reason beside it.
 *
 * Guarantees: at every moment the envelope has at least one durable name (reason file → link →
 * directory fsync → unlink), so a crash anywhere loses nothing and repeating the move finishes it.
 * A name that another file has is never overwritten. Nothing here deletes from the quarantine.
 */
import { basename, dirname, join } from "node:path";
import type { ErrorCode } from "../errors.ts";
import type { Clock } from "../platform/clock.ts";
import {
  type DurableFsSync,
  factsIfThere,
  readRegularFile,
  syncDirectorySync,
  unlinkIfThere,
} from "../platform/durable-fs-sync.ts";
import { isErrno, NO_LINK_ERRNOS } from "../platform/errno.ts";
import { ENVELOPE_BYTES_MAX } from "../record/limits.ts";
import { pendingPath, type QueueLayout } from "./layout.ts";
import { encodeReason } from "./reason-file.ts";

export interface QuarantineReason {
  readonly code: ErrorCode;
  /** Never a record's text. */
  readonly message: string;
  readonly attempts: number;
}

export interface QuarantineParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
  readonly clock: Clock;
}

export const SAME_NAME_MAX = 1_000;

/**
 * @returns the file name inside the quarantine, or undefined if the record has moved on or the same
 *   bytes lay in quarantine already
 */
export function quarantine(
  parts: QuarantineParts,
  ulid: string,
  reason: QuarantineReason,
): string | undefined {
  const { fs, layout } = parts;
  const from = pendingPath(layout, ulid);
  for (let number = 1; number <= SAME_NAME_MAX; number++) {
    const to = quarantinePath(layout, ulid, number);
    const free = nameIsFree(fs, from, to);
    if (free === undefined) return undefined;
    if (!free && !isCopy(fs, from, to)) continue;
    if (!free) {
      // It came here from a segment, too. Whoever brought it may not have come to the fsync.
      syncDirectorySync(fs, dirname(to));
      if (isCopy(fs, from, to)) unlinkIfThere(fs, from);
      return undefined;
    }
    writeReason(parts, to, ulid, reason);
    if (!moveAside(fs, from, to)) return undefined;
    return basename(to);
  }
  throw namesSpent();
}

/** Path of the file that says why; `path` is the quarantined envelope's or segment's. */
export function reasonPath(path: string): string {
  return path.endsWith(".json") ? path.replace(/\.json$/, ".reason.json") : `${path}.reason.json`;
}

/** Before the file itself comes: a crash in between leaves a reason that nobody lists. */
export function writeReason(
  parts: QuarantineParts,
  path: string,
  ulid: string,
  reason: QuarantineReason,
): void {
  parts.fs.replace(
    reasonPath(path),
    encodeReason({
      ulid,
      code: reason.code,
      message: reason.message,
      attempts: reason.attempts,
      quarantined_at: new Date(parts.clock.nowMs()).toISOString(),
    }),
    "fsync",
  );
}

/**
 * Finishes a move that a crash cut between link and unlink. Returns whether there was one.
 * @param file the quarantined envelope's name, with or without a number
 */
export function finishMove(
  fs: DurableFsSync,
  layout: QueueLayout,
  ulid: string,
  file: string,
): boolean {
  const from = pendingPath(layout, ulid);
  const to = join(layout.quarantineDir, file);
  if (!sameFile(fs, from, to)) return false;
  syncDirectorySync(fs, layout.quarantineDir);
  unlinkMoved(fs, from, to);
  return true;
}

/** @param number from 1: of several files of one id */
export function quarantinePath(layout: QueueLayout, ulid: string, number: number): string {
  const suffix = number === 1 ? "" : `.${number}`;
  return join(layout.quarantineDir, `pending-${ulid}${suffix}.json`);
}

/** undefined if the record is gone; true if the target's name is free or already this file's. */
function nameIsFree(fs: DurableFsSync, from: string, to: string): boolean | undefined {
  const source = factsIfThere(fs, from);
  if (!source) return undefined;
  const target = factsIfThere(fs, to);
  return target === undefined || (target.ino === source.ino && target.dev === source.dev);
}

/**
 * Moves a file into the quarantine: link → directory fsync → unlink. False if it is gone meanwhile.
 * @throws EEXIST if the name belongs to another file; the system error of the failing call
 */
export function moveAside(fs: DurableFsSync, from: string, to: string): boolean {
  try {
    fs.link(from, to);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    if (isErrno(error, ...NO_LINK_ERRNOS)) {
      fs.rename(from, to); // a directory, or a file system without links
    } else if (!isErrno(error, "EEXIST") || !sameFile(fs, from, to)) {
      throw error;
    }
  }
  // Crash here: two names of one file; finishMove removes the pending one.
  syncDirectorySync(fs, dirname(to));
  unlinkMoved(fs, from, to);
  return true;
}

/**
 * Looks again, right before: the fsync may have taken long, or this process have been stopped in it.
 * Others can have finished the move and sent the record back into the queue meanwhile, as a copy.
 */
function unlinkMoved(fs: DurableFsSync, from: string, to: string): void {
  if (sameFile(fs, from, to)) unlinkIfThere(fs, from);
}

function isCopy(fs: DurableFsSync, one: string, other: string): boolean {
  const [first, second] = [factsIfThere(fs, one), factsIfThere(fs, other)];
  if (first?.kind !== "file" || second?.kind !== "file") return false;
  if (first.bytes !== second.bytes || first.bytes > ENVELOPE_BYTES_MAX) return false;
  const bytes = readRegularFile(fs, one, first.bytes);
  return bytes !== undefined && readRegularFile(fs, other, first.bytes)?.equals(bytes) === true;
}

export function namesSpent(): Error {
  return new Error(`the quarantine holds ${SAME_NAME_MAX} files of one id`);
}

function sameFile(fs: DurableFsSync, one: string, other: string): boolean {
  const first = factsIfThere(fs, one);
  const second = factsIfThere(fs, other);
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}
