/**
 * The file-system calls of settling, quarantine, archive and recovery: the synchronous twin of
 * durable-fs.ts. In the ingester's own thread they are about three times as fast as promises
 * (measured for read, parse and unlink of 1 KB files).
 *
 * Guarantees and limits as there: one method, one call, nothing retried or swallowed.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import writeFileAtomic from "write-file-atomic";
import { type DirectorySyncStep, lacksDirectoryFsync } from "./directory-fsync.ts";
import {
  DIRECTORY_MODE,
  FILE_MODE,
  type FileFacts,
  type FileIdentity,
  factsOf,
  O_NOFOLLOW,
  O_NONBLOCK,
} from "./durable-fs.ts";
import { isErrno } from "./errno.ts";

export interface DurableFsSync {
  openExclusive(path: string): number;
  /** For appending, 0600, created if absent; ELOOP for a symlink. */
  openAppend(path: string): number;
  /**
   * For appending and {@link DurableFsSync.readAt}, 0600, created if absent; ELOOP for a symlink,
   * never waits for a FIFO's other end. Crash: maybe an empty file.
   */
  openLog(path: string): number;
  openDirectory(path: string): number;
  /** For reading; ELOOP for a symlink, never waits for a FIFO's writer. */
  openRead(path: string): number;
  /** Fills the buffer from its start; returns the bytes read, 0 at the end. */
  read(fd: number, into: Uint8Array): number;
  /** The same from a position of the file, which is not moved. */
  readAt(fd: number, into: Uint8Array, position: number): number;
  write(fd: number, bytes: Uint8Array, offset: number, length: number): number;
  fsync(fd: number): void;
  truncate(fd: number, bytes: number): void;
  close(fd: number): void;
  link(from: string, to: string): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  makeDirectory(path: string): void;
  removeDirectory(path: string): void;
  /** Sets access and modification time. */
  touch(path: string, timeMs: number): void;
  identityOfPath(path: string): FileIdentity;
  /** Of the name itself, a symlink is not followed. */
  facts(path: string): FileFacts;
  factsOfDescriptor(fd: number): FileFacts;
  /** Names that an open file still has; 0 once it is deleted, and what is written is gone. */
  linkCount(fd: number): number;
  names(directory: string): string[];
  /**
   * Replaces a small file through a temp file and a rename; "fsync" syncs the content first. The
   * directory is not synced and a short write goes unnoticed, so it is only for what is checked
   * when it is read. A symlink at the path is replaced itself, what it points to is not touched.
   */
  replace(path: string, content: string, durability: "fsync" | "none"): void;
}

export const nodeDurableFsSync: DurableFsSync = {
  openExclusive: (path) => openSync(path, "wx", FILE_MODE),
  openAppend: (path) =>
    openSync(
      path,
      constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | O_NOFOLLOW,
      FILE_MODE,
    ),
  openLog: (path) =>
    openSync(
      path,
      constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | O_NOFOLLOW | O_NONBLOCK,
      FILE_MODE,
    ),
  openDirectory: (path) => openSync(path, constants.O_RDONLY | (constants.O_DIRECTORY ?? 0)),
  openRead: (path) => openSync(path, constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
  read: (fd, into) => readSync(fd, into, 0, into.length, null),
  readAt: (fd, into, position) => readSync(fd, into, 0, into.length, position),
  write: (fd, bytes, offset, length) => writeSync(fd, bytes, offset, length, null),
  fsync: (fd) => fsyncSync(fd),
  truncate: (fd, bytes) => ftruncateSync(fd, bytes),
  close: (fd) => closeSync(fd),
  link: (from, to) => linkSync(from, to),
  rename: (from, to) => renameSync(from, to),
  unlink: (path) => unlinkSync(path),
  makeDirectory: (path) => mkdirSync(path, { mode: DIRECTORY_MODE }),
  removeDirectory: (path) => rmdirSync(path),
  touch: (path, timeMs) => utimesSync(path, timeMs / 1000, timeMs / 1000),
  identityOfPath: (path) => statSync(path),
  facts: (path) => factsOf(lstatSync(path)),
  factsOfDescriptor: (fd) => factsOf(fstatSync(fd)),
  linkCount: (fd) => fstatSync(fd).nlink,
  names: (directory) => readdirSync(directory),
  replace: (path, content, durability) => {
    removeSymlink(path); // the library would write through it
    writeFileAtomic.sync(path, content, { mode: FILE_MODE, fsync: durability === "fsync" });
  },
};

function removeSymlink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) unlinkSync(path);
}

/**
 * Writes all bytes, however many calls it takes.
 * @throws Error of the failing write; a write of zero bytes counts as EIO
 */
export function writeAllSync(fs: DurableFsSync, fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) {
    const written = fs.write(fd, bytes, offset, bytes.length - offset);
    if (written <= 0) throw Object.assign(new Error("EIO: nothing written"), { code: "EIO" });
    offset += written;
  }
}

/**
 * Opens, fsyncs and closes a directory: its names survive a crash from here on, as far as the
 * platform has that to give (directory-fsync.ts).
 */
export function syncDirectorySync(fs: DurableFsSync, directory: string): void {
  let step: DirectorySyncStep = "open";
  try {
    const fd = fs.openDirectory(directory);
    step = "fsync";
    try {
      fs.fsync(fd);
    } finally {
      fs.close(fd);
    }
  } catch (error) {
    if (!lacksDirectoryFsync(error, step)) throw error;
  }
}

/** Of the name itself, or undefined if there is none. */
export function factsIfThere(fs: DurableFsSync, path: string): FileFacts | undefined {
  try {
    return fs.facts(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Removes a name; gone already is as good. */
export function unlinkIfThere(fs: DurableFsSync, path: string): void {
  try {
    fs.unlink(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error; // somebody else removed it: what was wanted
  }
}

/** So many bytes from a position; fewer if the file ends before, perhaps cut while it is read. */
export function readBytes(fs: DurableFsSync, fd: number, bytes: number, position: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  let filled = 0;
  while (filled < bytes) {
    const read = fs.readAt(fd, buffer.subarray(filled), position + filled);
    if (read === 0) break;
    filled += read;
  }
  return buffer.subarray(0, filled);
}

/**
 * A file's bytes; undefined if nothing is there.
 * @throws the system error of the reading; EISDIR, ELOOP, EINVAL or EFBIG for anything but a
 *   regular file within the bound
 */
export function readRegularFile(
  fs: DurableFsSync,
  path: string,
  bytesMax: number,
): Buffer | undefined {
  let fd: number;
  try {
    fd = fs.openRead(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    const { kind, bytes } = fs.factsOfDescriptor(fd);
    if (kind !== "file") throw refusal(kind === "directory" ? "EISDIR" : "EINVAL", kind);
    if (bytes > bytesMax) throw refusal("EFBIG", `${bytes} bytes`);
    return readBytes(fs, fd, bytes, 0);
  } finally {
    fs.close(fd);
  }
}

function refusal(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: not a file to read (${what})`), { code });
}
