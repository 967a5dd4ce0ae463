/**
 * The few file-system calls that a capture makes, each with what a crash after it leaves behind.
 * Asynchronous, for the thread that talks to the client; {@link DurableFsSync} in
 * durable-fs-sync.ts is its twin for the ingester's thread.
 *
 * Guarantees: thin. One method is one system call (open, write, fsync, …), nothing is retried or
 * swallowed, errors come out as Node gives them. Does not guarantee that a file system honours
 * fsync. A seam: tests replace it to make any call fail.
 */
import {
  close,
  constants,
  fstat,
  fsync,
  link,
  lstat,
  mkdir,
  open,
  read,
  readdir,
  rename,
  stat,
  statfs,
  unlink,
  write,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { type DirectorySyncStep, lacksDirectoryFsync } from "./directory-fsync.ts";

/** What a path or descriptor names, independent of its name. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

export interface FileFacts extends FileIdentity {
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly bytes: number;
  readonly mtimeMs: number;
}

/** What a file system has left for this user. */
export interface FreeSpace {
  readonly freeBytes: number;
  /** Infinity where the file system makes inodes as it needs them. */
  readonly freeInodes: number;
}

export interface DurableFs {
  /** Creates and opens for writing, 0600; EEXIST if anything is there. Crash: maybe an empty file. */
  openExclusive(path: string): Promise<number>;
  /** Opens a directory for {@link DurableFs.fsync}. */
  openDirectory(path: string): Promise<number>;
  /** For reading; ELOOP for a symlink, never waits for a FIFO's writer. */
  openRead(path: string): Promise<number>;
  /** Fills the buffer from a position of the file; returns the bytes read, 0 at the end. */
  readAt(fd: number, into: Uint8Array, position: number): Promise<number>;
  factsOfDescriptor(fd: number): Promise<FileFacts>;
  /** May write less than asked; returns the bytes written. Crash: any part of them. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number): Promise<number>;
  /** Survives a crash from here on: a file's bytes and size, or a directory's names. */
  fsync(fd: number): Promise<void>;
  /** Size in bytes of an open file. */
  size(fd: number): Promise<number>;
  close(fd: number): Promise<void>;
  /** A second name; EEXIST if taken. Crash: maybe not there until the directory is fsynced. */
  link(from: string, to: string): Promise<void>;
  /** Overwrites in silence. Crash: old or new name until the directory is fsynced. */
  rename(from: string, to: string): Promise<void>;
  /** Crash: the name may come back until the directory is fsynced. */
  unlink(path: string): Promise<void>;
  /** One level, 0700; EEXIST if anything is there. Crash: as link. */
  makeDirectory(path: string): Promise<void>;
  identityOfPath(path: string): Promise<FileIdentity>;
  identityOfDescriptor(fd: number): Promise<FileIdentity>;
  /** Of the name itself, a symlink is not followed. */
  facts(path: string): Promise<FileFacts>;
  names(directory: string): Promise<string[]>;
  /** Whole content of a regular file; ELOOP for a symlink. */
  read(path: string): Promise<Buffer>;
  /** Of the file system that holds the path. */
  space(path: string): Promise<FreeSpace>;
}

export const FILE_MODE = 0o600;
export const DIRECTORY_MODE = 0o700;
/** Zero where the platform lacks it (Windows), which is then not protected by it. */
export const O_NOFOLLOW = constants.O_NOFOLLOW ?? 0;
/** A FIFO or device must not block whoever opens it. */
export const O_NONBLOCK = constants.O_NONBLOCK ?? 0;
const O_DIRECTORY = constants.O_DIRECTORY ?? 0;

const openCall = promisify(open);
const readCall = promisify(read);
const writeCall = promisify(write);
const fsyncCall = promisify(fsync);
const fstatCall = promisify(fstat);
const statCall = promisify(stat);
const statfsCall: (path: string) => Promise<import("node:fs").StatsFs> = promisify(statfs);
const lstatCall = promisify(lstat);
const closeCall = promisify(close);
const linkCall = promisify(link);
const renameCall = promisify(rename);
const unlinkCall = promisify(unlink);
const mkdirCall = promisify(mkdir);
const readdirCall = promisify(readdir);

export const nodeDurableFs: DurableFs = {
  openExclusive: (path) => openCall(path, "wx", FILE_MODE),
  openDirectory: (path) => openCall(path, constants.O_RDONLY | O_DIRECTORY),
  openRead: (path) => openCall(path, constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
  readAt: async (fd, into, position) =>
    (await readCall(fd, into, 0, into.length, position)).bytesRead,
  factsOfDescriptor: async (fd) => factsOf(await fstatCall(fd)),
  write: async (fd, bytes, offset, length) =>
    (await writeCall(fd, bytes, offset, length, null)).bytesWritten,
  fsync: (fd) => fsyncCall(fd),
  size: async (fd) => (await fstatCall(fd)).size,
  close: (fd) => closeCall(fd),
  link: (from, to) => linkCall(from, to),
  rename: (from, to) => renameCall(from, to),
  unlink: (path) => unlinkCall(path),
  makeDirectory: async (path) => {
    await mkdirCall(path, { mode: DIRECTORY_MODE });
  },
  identityOfPath: (path) => statCall(path),
  identityOfDescriptor: (fd) => fstatCall(fd),
  facts: async (path) => factsOf(await lstatCall(path)),
  names: (directory) => readdirCall(directory),
  read: (path) => readFile(path, { flag: constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK }),
  space: async (path) => {
    const { bavail, bsize, files, ffree } = await statfsCall(path);
    return {
      freeBytes: bavail * bsize,
      freeInodes: files > 0 ? ffree : Number.POSITIVE_INFINITY,
    };
  },
};

/** The part of a stat that we use. */
export function factsOf(stats: import("node:fs").Stats): FileFacts {
  const kind = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "directory"
      : stats.isSymbolicLink()
        ? "symlink"
        : "other";
  return { kind, bytes: stats.size, mtimeMs: stats.mtimeMs, dev: stats.dev, ino: stats.ino };
}

/**
 * Writes all bytes, however many calls it takes.
 * @throws Error of the failing write; a write of zero bytes counts as EIO
 */
export async function writeAll(fs: DurableFs, fd: number, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const written = await fs.write(fd, bytes, offset, bytes.length - offset);
    if (written <= 0) throw Object.assign(new Error("EIO: nothing written"), { code: "EIO" });
    offset += written;
  }
}

/** Syncs a file that was written to its end. @throws the system error; EIO if bytes are missing */
export async function seal(fs: DurableFs, fd: number, bytes: number): Promise<void> {
  await fs.fsync(fd);
  if ((await fs.size(fd)) !== bytes) {
    throw Object.assign(new Error("EIO: the file is short"), { code: "EIO" });
  }
}

/**
 * Makes a file that is whole and durable when this resolves; its name is the caller's to sync.
 * @throws the system error of the step that failed; the path may then hold part of the bytes
 */
export async function writeWhole(fs: DurableFs, path: string, bytes: Uint8Array): Promise<void> {
  const fd = await fs.openExclusive(path);
  try {
    await writeAll(fs, fd, bytes);
    await seal(fs, fd, bytes.length);
  } finally {
    await fs.close(fd).catch(() => {}); // the fsync has vouched for the bytes, or its failure is told
  }
}

/**
 * Opens, fsyncs and closes a directory: its names survive a crash from here on, as far as the
 * platform has that to give (directory-fsync.ts).
 */
export async function syncDirectory(fs: DurableFs, directory: string): Promise<void> {
  let step: DirectorySyncStep = "open";
  try {
    const fd = await fs.openDirectory(directory);
    step = "fsync";
    try {
      await fs.fsync(fd);
    } finally {
      await fs.close(fd).catch(() => {}); // the fsync has vouched for the names
    }
  } catch (error) {
    if (!lacksDirectoryFsync(error, step)) throw error;
  }
}
