/**
 * Gives bytes a name of their own, durably: for a record that leaves a file which holds others.
 *
 * Guarantees: when it returns "placed" or "same", the bytes are whole under the name and both
 * survive a power cut (temp → write all → fsync → link → directory fsync); a name that is taken
 * keeps what it has. When it throws, the name is free or holds the bytes whole: repeating it is
 * harmless. A temp file that a crash leaves is swept by recovery.
 */
import { dirname } from "node:path";
import {
  type DurableFsSync,
  factsIfThere,
  readRegularFile,
  syncDirectorySync,
  unlinkIfThere,
  writeAllSync,
} from "../platform/durable-fs-sync.ts";
import { errnoOf, isErrno, NO_LINK_ERRNOS } from "../platform/errno.ts";

/** "same": these very bytes were there already; "taken": something else is. */
export type Placed = "placed" | "same" | "taken";

/**
 * @param temp a free name on the same file system
 * @throws the system error of the failing call
 */
export function placeBytes(
  fs: DurableFsSync,
  temp: string,
  path: string,
  bytes: Uint8Array,
): Placed {
  const before = compareFile(fs, path, bytes);
  if (before === "taken") return "taken";
  if (before === "absent") {
    try {
      writeTemp(fs, temp, bytes);
      const now = giveName(fs, temp, path, bytes);
      if (now === "taken") return "taken";
      syncDirectorySync(fs, dirname(path));
      return now;
    } finally {
      removeTemp(fs, temp);
    }
  }
  // Whoever placed it may not have come to the directory's fsync.
  syncDirectorySync(fs, dirname(path));
  return "same";
}

function writeTemp(fs: DurableFsSync, temp: string, bytes: Uint8Array): void {
  const fd = fs.openExclusive(temp);
  try {
    writeAllSync(fs, fd, bytes);
    fs.fsync(fd);
  } finally {
    fs.close(fd);
  }
}

function giveName(fs: DurableFsSync, temp: string, path: string, bytes: Uint8Array): Placed {
  try {
    fs.link(temp, path);
    return "placed";
  } catch (error) {
    if (isErrno(error, ...NO_LINK_ERRNOS)) {
      fs.rename(temp, path); // no links here; the name was free a moment ago
      return "placed";
    }
    if (!isErrno(error, "EEXIST")) throw error;
    return compareFile(fs, path, bytes) === "same" ? "same" : "taken";
  }
}

function compareFile(
  fs: DurableFsSync,
  path: string,
  bytes: Uint8Array,
): "absent" | "same" | "taken" {
  const facts = factsIfThere(fs, path);
  if (!facts) return "absent";
  if (facts.kind !== "file" || facts.bytes !== bytes.length) return "taken";
  const there = readRegularFile(fs, path, bytes.length);
  if (!there) return "absent";
  return there.equals(bytes) ? "same" : "taken";
}

/** What stays is swept by recovery. */
function removeTemp(fs: DurableFsSync, temp: string): void {
  try {
    unlinkIfThere(fs, temp);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
