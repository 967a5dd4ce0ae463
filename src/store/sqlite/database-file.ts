/**
 * Makes the database file before SQLite opens it.
 *
 * Guarantees: the file is a regular file of mode 0600 in a directory of mode 0700, whatever the
 * umask, if we made them (SQLite gives its -wal and -shm files the mode of the database); none of
 * them nor their directory is a symbolic link; the names survive a power cut before the first commit
 * is acknowledged, also when an earlier process made them and died before syncing. Several
 * processes may do this at once. What was there before keeps its mode: `memspool doctor` looks at that.
 */
import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { MemspoolError } from "../../errors.ts";
import type { FileIdentity } from "../../platform/durable-fs.ts";
import {
  type DurableFsSync,
  factsIfThere,
  syncDirectorySync,
  unlinkIfThere,
} from "../../platform/durable-fs-sync.ts";
import { errnoOf, isErrno, NO_LINK_ERRNOS } from "../../platform/errno.ts";
import { unavailable } from "./errors.ts";

/**
 * @returns whether the file was created by this call
 * @throws MemspoolError UNSAFE_PATH, STORE_UNAVAILABLE
 */
export function prepareDatabaseFile(fs: DurableFsSync, file: string): { created: boolean } {
  const directory = dirname(file);
  try {
    makeDirectories(fs, directory, 0);
    refuseSymlinks(fs, file);
    const created = createFile(fs, file);
    // An empty file is what SQLite takes for a new database. A crash before here leaves at most that.
    syncDirectorySync(fs, directory);
    syncParent(fs, dirname(directory));
    return { created };
  } catch (error) {
    if (error instanceof MemspoolError) throw error;
    const errno = errnoOf(error) ?? "unknown";
    throw unavailable(reasonOf(errno), { cause: error, details: { errno } });
  }
}

/** The file that the path names now; undefined if none. */
export function identityOf(fs: DurableFsSync, file: string): FileIdentity | undefined {
  try {
    const { dev, ino } = fs.identityOfPath(file);
    return { dev, ino };
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw unavailable("cantopen", { cause: error });
  }
}

const DEPTH_MAX = 256;

function makeDirectories(fs: DurableFsSync, directory: string, depth: number): void {
  if (kindOf(fs, directory) !== undefined || depth > DEPTH_MAX) return;
  const parent = dirname(directory);
  if (parent === directory) return;
  makeDirectories(fs, parent, depth + 1);
  try {
    fs.makeDirectory(directory);
  } catch (error) {
    // EEXIST: another process made it a moment ago.
    if (!isErrno(error, "EEXIST")) throw error;
  }
  syncDirectorySync(fs, parent);
}

function syncParent(fs: DurableFsSync, parent: string): void {
  try {
    syncDirectorySync(fs, parent);
  } catch (error) {
    // A parent that we may not open was not made by us; one without fsync has nothing to lose.
    if (!isErrno(error, "EACCES", "EPERM", "EINVAL", "EROFS")) throw error;
  }
}

/**
 * An empty file is what SQLite takes for a new database. It is made under another name and linked:
 * closing a descriptor of the database itself would drop every lock that another thread of this
 * process holds on it (https://sqlite.org/howtocorrupt.html, 2.2).
 */
function createFile(fs: DurableFsSync, file: string): boolean {
  if (kindOf(fs, file) !== undefined) return false;
  const temp = `${file}.new-${randomBytes(6).toString("hex")}`;
  fs.close(fs.openExclusive(temp));
  try {
    fs.link(temp, file);
  } catch (error) {
    // EEXIST: another process was faster.
    if (isErrno(error, "EEXIST")) return false;
    if (!isErrno(error, ...NO_LINK_ERRNOS)) throw error;
    return createExclusively(fs, file);
  } finally {
    unlinkIfThere(fs, temp);
  }
  return true;
}

/**
 * Without links. A rename could replace a database that another process has filled since we looked;
 * next to that, locks dropped in the moment in which both are made are the lesser evil.
 */
function createExclusively(fs: DurableFsSync, file: string): boolean {
  try {
    fs.close(fs.openExclusive(file));
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false; // another process was faster
    throw error;
  }
}

/** @throws MemspoolError UNSAFE_PATH if the database, its directory or a file beside it is one */
export function refuseSymlinks(fs: DurableFsSync, file: string): void {
  for (const path of [dirname(file), file, `${file}-wal`, `${file}-shm`]) refuseSymlink(fs, path);
}

function refuseSymlink(fs: DurableFsSync, path: string): void {
  if (kindOf(fs, path) !== "symlink") return;
  throw new MemspoolError(
    "UNSAFE_PATH",
    `${path} is a symbolic link, which memspool does not follow. Put the file itself there, or set ` +
      "MEMSPOOL_HOME to the directory where it is.",
    { details: { path } },
  );
}

function kindOf(fs: DurableFsSync, path: string): string | undefined {
  return factsIfThere(fs, path)?.kind;
}

function reasonOf(errno: string): string {
  if (errno === "ENOSPC" || errno === "EDQUOT") return "full";
  if (errno === "EROFS") return "readonly";
  if (errno === "EACCES" || errno === "EPERM") return "perm";
  return errno === "EIO" ? "ioerr" : "cantopen";
}
