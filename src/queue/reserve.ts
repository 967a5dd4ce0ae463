/**
 * A little disk kept back for bookkeeping: files that are given up when a quarantine, an audit line
 * or the high-water id meets a full disk, so that a bad record can still be set aside while captures
 * are refused.
 *
 * Guarantees: what is kept is really allocated (random bytes, fsynced), never more than a sixteenth
 * of what is free, and nothing on a small disk. Best effort: another program may take the space in
 * the moment between. Without it the records concerned wait where they are; nothing is lost. One
 * inode a file comes back too; a file system that reserves inodes otherwise can not be helped.
 */
import { randomBytes } from "node:crypto";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import {
  type DurableFsSync,
  factsIfThere,
  unlinkIfThere,
  writeAllSync,
} from "../platform/durable-fs-sync.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import type { QueueLayout } from "./layout.ts";

export const RESERVE_FILE_COUNT = 4;
export const RESERVE_FILE_BYTES = 16_384;
/** The reserve is made where this many times its size is free. */
const PLENTY_FACTOR = 16;

export interface ReserveParts {
  readonly fs: DurableFsSync;
  readonly layout: QueueLayout;
}

/** What statfs says of a directory's file system. */
export type SpaceOf = (directory: string) => { readonly bytes: number; readonly inodes: number };

/** Path of the nth file, from 0. */
export function reservePath(layout: QueueLayout, n: number): string {
  return join(layout.dir, `.reserve-${n}`);
}

/**
 * Makes what is missing of the reserve if there is plenty of space. Cheap when it is there: one look.
 * Of two processes at once the later one's files stay.
 * @param spaceOf a seam
 * @returns whether the reserve is there
 */
export function keepReserve(parts: ReserveParts, spaceOf: SpaceOf = freeSpace): boolean {
  try {
    if (isWhole(parts, RESERVE_FILE_COUNT - 1)) return true; // the last one is made last
    const { bytes, inodes } = spaceOf(parts.layout.dir);
    if (bytes < PLENTY_FACTOR * RESERVE_FILE_COUNT * RESERVE_FILE_BYTES) return false;
    if (inodes < PLENTY_FACTOR * RESERVE_FILE_COUNT) return false;
    for (let n = 0; n < RESERVE_FILE_COUNT; n++) if (!isWhole(parts, n)) make(parts, n);
    return true;
  } catch (error) {
    // No reserve is no fault: what would have used it waits instead.
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

/**
 * Does what must be done on a full disk too: when it fails for want of space, the reserve is given
 * up and it is done once more. It must be safe to repeat.
 * @throws what the act throws, the second time if there was a reserve
 */
export function withReserve<T>(parts: ReserveParts, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!isErrno(error, "ENOSPC", "EDQUOT") || !release(parts)) throw error;
    return act();
  }
}

/** Last file first, so that the look at it tells of all. True if anything came back. */
function release({ fs, layout }: ReserveParts): boolean {
  let released = false;
  for (let n = RESERVE_FILE_COUNT - 1; n >= 0; n--) {
    const path = reservePath(layout, n);
    if (factsIfThere(fs, path)?.kind !== "file") continue;
    unlinkIfThere(fs, path);
    released = true;
  }
  return released;
}

/** A short one is of a maker that died or was stopped; its owner writes on into a nameless file. */
function make({ fs, layout }: ReserveParts, n: number): void {
  const path = reservePath(layout, n);
  unlinkIfThere(fs, path);
  const fd = fs.openExclusive(path);
  try {
    writeAllSync(fs, fd, randomBytes(RESERVE_FILE_BYTES)); // zeros would be compressed away
    fs.fsync(fd);
  } catch (error) {
    unlinkIfThere(fs, path);
    throw error;
  } finally {
    fs.close(fd);
  }
}

/** Where inodes are made as they are needed, none are counted. */
function freeSpace(directory: string): { bytes: number; inodes: number } {
  const { bavail, bsize, files, ffree } = statfsSync(directory);
  return { bytes: bavail * bsize, inodes: files > 0 ? ffree : Number.POSITIVE_INFINITY };
}

function isWhole({ fs, layout }: ReserveParts, n: number): boolean {
  const facts = factsIfThere(fs, reservePath(layout, n));
  return facts?.kind === "file" && facts.bytes === RESERVE_FILE_BYTES;
}
