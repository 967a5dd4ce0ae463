/**
 * Takes records out of the done archive, file by file.
 *
 * Guarantees: a file that holds one of them is written anew beside itself, synced, and takes the old
 * one's name; at every moment the name leads to a whole file with everything that stays. Whoever reads
 * the old one reads on. A writer that still appends to the old one finds that its name leads elsewhere
 * and appends once more (done-archive.ts); what it brought before that is carried over.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import {
  type DurableFsSync,
  factsIfThere,
  readBytes,
  syncDirectorySync,
  unlinkIfThere,
} from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import { decodeMembers, encodeMember } from "./archive-member.ts";
import { isArchiveName } from "./done-archive.ts";
import { isLeftover, type QueueLayout } from "./layout.ts";
import { copyWithout, holdsAny, isWanted, stretchHoldsAny, type Wanted } from "./purge-members.ts";

export interface PurgeFileParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
}

const TEMP_PREFIX = ".tmp-";

/**
 * Works on one file between two yields. Looks at files of every hour: an id's time and a file's hour are
 * two readings of clocks that were set in between.
 * @param ulids not empty
 * @throws the system error of the failing call; the file it was at is as it was
 */
export function* purgeArchive(parts: PurgeFileParts, ulids: Wanted): Generator<void> {
  const { fs, layout } = parts;
  sweepTemps(parts, layout.doneDir);
  for (const name of namesIn(fs, layout.doneDir)) {
    if (!isArchiveName(name)) continue;
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
  // Nobody else's: a purger that was stopped and replaced by another must not publish its half file.
  const temp = join(directory, `${TEMP_PREFIX}${[...ulids][0]}-${randomBytes(6).toString("hex")}`);
  const from = openIfThere(fs, path);
  if (from === undefined) return false;
  try {
    const copied = copyInto(fs, temp, { path, fd: from }, ulids);
    // Crash here: the old file, and a temp file that the next purge removes.
    const isGone = !isNamed(fs, path, from);
    if (isGone || copied.written === 0) fs.unlink(temp);
    if (!isGone && copied.written === 0) unlinkIfThere(fs, path);
    else if (!isGone) fs.rename(temp, path);
    syncDirectorySync(fs, directory);
    carryOver(fs, from, path, copied.readBytes, ulids);
  } finally {
    fs.close(from);
  }
  return true;
}

function openIfThere(fs: DurableFsSync, path: string): number | undefined {
  try {
    return fs.openRead(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined; // trimmed a moment ago
    throw error;
  }
}

/**
 * A second purger may have exchanged the file: what was copied is not what it leads to now. One that was
 * trimmed meanwhile does not come back.
 */
function isNamed(fs: DurableFsSync, path: string, fd: number): boolean {
  const [named, copied] = [factsIfThere(fs, path), fs.factsOfDescriptor(fd)];
  if (named === undefined) return false;
  if (named.ino === copied.ino && named.dev === copied.dev) return true;
  throw Object.assign(new Error("ESTALE: another process has exchanged the file"), {
    code: "ESTALE",
  });
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

/** Only a purge makes temp files here; one that is still at work meanwhile fails, and begins anew. */
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
