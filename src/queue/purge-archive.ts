/**
 * Takes records out of the done archive, file by file.
 *
 * Guarantees: a file that holds one of them is written anew beside itself, synced, and takes the old
 * one's name; at every moment the name leads to a whole file with everything that stays. Whoever reads
 * the old one reads on. A writer that still appends to the old one finds that its name leads elsewhere
 * and appends once more (done-archive.ts); what it brought before that is carried over.
 */
import { join } from "node:path";
import {
  type DurableFsSync,
  factsIfThere,
  readBytes,
  syncDirectorySync,
  unlinkIfThere,
} from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import { ulidTimeMs } from "../record/record-id.ts";
import { decodeMembers, encodeMember } from "./archive-member.ts";
import { isArchiveName, utcHour } from "./done-archive.ts";
import { isLeftover, type QueueLayout } from "./layout.ts";
import { copyWithout, holdsAny, isWanted, stretchHoldsAny, type Wanted } from "./purge-members.ts";

export interface PurgeFileParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
}

/** A record is archived after it was captured; ids may be ahead of the clock by a day. */
const EARLIER_MS = 25 * 3_600_000;
const HOUR_CHARS = "20260301-09".length;
const TEMP_PREFIX = ".tmp-";

/**
 * Works on one file between two yields.
 * @param ulids not empty
 * @throws the system error of the failing call; the file it was at is as it was
 */
export function* purgeArchive(parts: PurgeFileParts, ulids: Wanted): Generator<void> {
  const { fs, layout } = parts;
  sweepTemps(parts, layout.doneDir);
  const oldest = [...ulids].reduce((least, ulid) => (ulid < least ? ulid : least));
  const fromHour = utcHour(Math.max(0, ulidTimeMs(oldest) - EARLIER_MS));
  for (const name of namesIn(fs, layout.doneDir)) {
    if (!isArchiveName(name) || name.slice(0, HOUR_CHARS) < fromHour) continue;
    rewriteWithout(fs, layout.doneDir, name, ulids);
    yield;
  }
  syncIfThere(fs, layout.doneDir);
}

/** @returns false if the file held none of them, or is gone */
export function rewriteWithout(
  fs: DurableFsSync,
  directory: string,
  name: string,
  ulids: Wanted,
): boolean {
  const path = join(directory, name);
  if (factsIfThere(fs, path)?.kind !== "file" || !holdsAny(fs, path, ulids)) return false;
  // The name of the segment or archive file keeps it from being anybody else's.
  const temp = join(directory, `${TEMP_PREFIX}${[...ulids][0]}-000000000000`);
  unlinkIfThere(fs, temp);
  const from = fs.openRead(path);
  try {
    const copied = copyInto(fs, temp, { path, fd: from }, ulids);
    // Crash here: the old file, and a temp file that the next purge removes.
    if (copied.written === 0) {
      fs.unlink(temp);
      fs.unlink(path);
    } else fs.rename(temp, path);
    syncDirectorySync(fs, directory);
    carryOver(fs, from, path, copied.readBytes, ulids);
  } finally {
    fs.close(from);
  }
  return true;
}

function copyInto(
  fs: DurableFsSync,
  temp: string,
  source: { readonly path: string; readonly fd: number },
  ulids: Wanted,
): { readonly readBytes: number; readonly written: number } {
  const target = fs.openExclusive(temp);
  try {
    const copied = copyWithout(fs, source, target, ulids);
    fs.fsync(target);
    return copied;
  } finally {
    fs.close(target);
  }
}

/** What a writer brought to the old file between our reading and its loss of the name. */
function carryOver(
  fs: DurableFsSync,
  old: number,
  path: string,
  readBefore: number,
  ulids: Wanted,
): void {
  const grownBytes = fs.factsOfDescriptor(old).bytes - readBefore;
  if (grownBytes <= 0) return;
  const brought = readBytes(fs, old, grownBytes, readBefore);
  const pieces: Buffer[] = [];
  const onSkipped = ({ offset, bytes }: { offset: number; bytes: number }) => {
    const stretch = brought.subarray(offset, offset + bytes);
    if (!stretchHoldsAny(stretch, ulids)) pieces.push(stretch);
  };
  for (const { lines } of decodeMembers(brought, onSkipped)) {
    const kept = lines.filter((line) => !isWanted(line, ulids));
    if (kept.length > 0) pieces.push(encodeMember(kept));
  }
  const fd = fs.openAppend(path);
  try {
    for (const piece of pieces) fs.write(fd, piece, 0, piece.length);
    fs.fsync(fd);
  } finally {
    fs.close(fd);
  }
}

/** Only a purge makes temp files here, and only one runs. */
export function sweepTemps({ fs }: PurgeFileParts, directory: string): void {
  for (const name of namesIn(fs, directory)) {
    if (isLeftover(name) && name.startsWith(TEMP_PREFIX)) unlinkIfThere(fs, join(directory, name));
  }
}

export function namesIn(fs: DurableFsSync, directory: string): string[] {
  try {
    return fs.names(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

export function syncIfThere(fs: DurableFsSync, directory: string): void {
  try {
    syncDirectorySync(fs, directory);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}
