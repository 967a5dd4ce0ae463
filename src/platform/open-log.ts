/**
 * One open file of lines: looking whether its path still names it, and appending to it.
 *
 * Guarantees: a line is one write, on a line of its own: what a full disk or a dead process left
 * torn is ended first, so a reader may find an empty or a torn line but never two in one. Only a
 * regular file is opened. With "fsync" a line that `write` returned from is on disk, and so is the
 * file's name. Does not notice by itself that the file was renamed or deleted.
 */
import { dirname } from "node:path";
import { MemspoolError } from "../errors.ts";
import type { FileFacts } from "./durable-fs.ts";
import {
  type DurableFsSync,
  factsIfThere,
  syncDirectorySync,
  writeAllSync,
} from "./durable-fs-sync.ts";
import { errnoOf, isErrno } from "./errno.ts";
import { makeDirectories } from "./make-directories.ts";

export interface OpenLogParts {
  readonly fs: DurableFsSync;
  /** Absolute; its directory is made if it is missing. */
  readonly path: string;
  readonly durability: "fsync" | "none";
}

const LINE_FEED = 10;

export class OpenLog {
  readonly #parts: OpenLogParts;
  readonly #fd: number;
  readonly #dev: number;
  readonly #ino: number;
  #bytes: number;
  /** Size up to which the file is known to end with a whole line. */
  #wholeBytes = 0;

  /**
   * Creates the file if it is missing.
   * @throws MemspoolError UNSAFE_PATH for a symlink or anything but a file; the system error else
   */
  constructor(parts: OpenLogParts) {
    const { fs, path, durability } = parts;
    this.#parts = parts;
    this.#fd = openPath(fs, path);
    try {
      const { dev, ino, bytes, kind } = fs.factsOfDescriptor(this.#fd);
      if (kind !== "file") throw unsafePath(path, kind);
      this.#dev = dev;
      this.#ino = ino;
      this.#bytes = bytes;
      // Crash before: the name may be gone, and no line was vouched for yet.
      if (durability === "fsync") syncDirectorySync(fs, dirname(path));
    } catch (error) {
      fs.close(this.#fd);
      throw error;
    }
  }

  /** Size at the last look. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False if the path names no file or another one by now. */
  look(): boolean {
    const { fs, path } = this.#parts;
    const facts = factsIfThere(fs, path);
    if (facts?.ino !== this.#ino || facts.dev !== this.#dev) return false;
    this.#bytes = facts.bytes;
    return true;
  }

  /** True if no name leads to it any more, and what is written to it is lost. */
  isDeleted(): boolean {
    return this.#parts.fs.linkCount(this.#fd) === 0;
  }

  /**
   * @param line ends with a line feed
   * @throws the system error; then the line may be there, torn or whole, and the file is to be
   *   closed: an fsync that failed is not repeated on its descriptor
   */
  write(line: Uint8Array): void {
    const { fs, durability } = this.#parts;
    const bytes = this.#isTorn() ? Buffer.concat([Buffer.of(LINE_FEED), line]) : line;
    // A second write is only ever needed on a full disk, where it fails.
    writeAllSync(fs, this.#fd, bytes);
    if (durability === "fsync") fs.fsync(this.#fd);
    this.#wholeBytes = this.#bytes + bytes.length;
  }

  /** Nobody's line depends on it: with "fsync" each was synced by itself. */
  close(): void {
    try {
      this.#parts.fs.close(this.#fd);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error; // the descriptor is gone whatever a close says
    }
  }

  /** Whether something lies there that we did not write and that does not end its line. */
  #isTorn(): boolean {
    if (this.#bytes === 0 || this.#bytes === this.#wholeBytes) return false;
    const last = Buffer.alloc(1);
    const read = this.#parts.fs.readAt(this.#fd, last, this.#bytes - 1);
    return read === 1 && last[0] !== LINE_FEED;
  }
}

/** Bytes that end with a line feed, which is added if it is missing. */
export function asLine(line: Uint8Array | string): Uint8Array {
  if (typeof line === "string") return Buffer.from(line.endsWith("\n") ? line : `${line}\n`);
  return line.at(-1) === LINE_FEED ? line : Buffer.concat([line, Buffer.of(LINE_FEED)]);
}

export function unsafePath(path: string, kind: FileFacts["kind"], cause?: unknown): MemspoolError {
  return new MemspoolError(
    "UNSAFE_PATH",
    `${path} is not a regular file but a ${kind === "other" ? "special file" : kind}, which ` +
      "memspool does not write through. Name a regular file, or one that does not exist yet.",
    { details: { path, kind }, ...(cause === undefined ? {} : { cause }) },
  );
}

function openPath(fs: DurableFsSync, path: string): number {
  try {
    return fs.openLog(path);
  } catch (error) {
    if (isErrno(error, "ELOOP")) throw unsafePath(path, "symlink", error);
    if (isErrno(error, "EISDIR")) throw unsafePath(path, "directory", error);
    if (!isErrno(error, "ENOENT")) throw error;
  }
  makeDirectories(fs, dirname(path));
  return fs.openLog(path);
}
