/**
 * Keeps what was committed, so that a store can be rebuilt: one file an UTC hour and writer, one
 * gzip member a batch.
 *
 * Guarantees: when `append` returns, the batch is in a file that the path still names, and both
 * survive a power cut. A batch is one write; a write that fails or is short is cut off again, and
 * if even that fails, readers step over it. Files are only ever appended to by their one writer.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../platform/clock.ts";
import { type DurableFsSync, syncDirectorySync } from "../platform/durable-fs-sync.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import { encodeMember } from "./archive-member.ts";
import type { QueueLayout } from "./layout.ts";

interface OpenArchive {
  readonly hour: string;
  readonly path: string;
  readonly fd: number;
  readonly ino: number;
  bytes: number;
}

/** A file that vanishes this many times while we append is a fault. */
const REOPENS_MAX = 3;

const NAME = /^\d{8}-\d{2}-[0-9a-z]{1,32}\.ndjson\.gz$/;

/** True for a file of the archive; its name sorts by hour. */
export function isArchiveName(name: string): boolean {
  return NAME.test(name);
}

export class DoneArchive {
  readonly #fs: DurableFsSync;
  readonly #layout: QueueLayout;
  readonly #clock: Clock;
  /** Unique to this writer, so that no two append to one file. */
  readonly #writer = randomBytes(6).toString("hex");
  #open: OpenArchive | undefined;

  constructor(fs: DurableFsSync, layout: QueueLayout, clock: Clock) {
    this.#fs = fs;
    this.#layout = layout;
    this.#clock = clock;
  }

  /** @throws the system error of the failing call; nothing of the batch counts as archived then */
  append(envelopes: readonly Uint8Array[]): void {
    if (envelopes.length === 0) return;
    const member = encodeMember(envelopes);
    for (let tries = 0; tries < REOPENS_MAX; tries++) {
      const archive = this.#archive();
      this.#write(archive, member);
      if (this.#stillNamed(archive)) return;
      this.close(); // trimmed or moved away under our hands: once more, into a new file
    }
    throw Object.assign(new Error("ESTALE: the done archive keeps vanishing"), { code: "ESTALE" });
  }

  /** Idempotent. */
  close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (!open) return;
    try {
      this.#fs.close(open.fd);
    } catch (error) {
      // Every batch was synced by itself, and the descriptor is gone whatever a close says.
      if (errnoOf(error) === undefined) throw error;
    }
  }

  #archive(): OpenArchive {
    const hour = utcHour(this.#clock.nowMs());
    if (this.#open?.hour === hour) return this.#open;
    this.close();
    const path = join(this.#layout.doneDir, `${hour}-${this.#writer}.ndjson.gz`);
    const fd = this.#fs.openAppend(path);
    try {
      // Crash here: an empty file, which readers accept.
      syncDirectorySync(this.#fs, this.#layout.doneDir);
      const { ino, bytes } = this.#fs.factsOfDescriptor(fd);
      this.#open = { hour, path, fd, ino, bytes };
      return this.#open;
    } catch (error) {
      this.#fs.close(fd);
      throw error;
    }
  }

  #write(archive: OpenArchive, member: Buffer): void {
    try {
      const written = this.#fs.write(archive.fd, member, 0, member.length);
      if (written !== member.length) {
        throw Object.assign(new Error("ENOSPC: short write"), { code: "ENOSPC" });
      }
      this.#fs.fsync(archive.fd);
      archive.bytes += member.length;
    } catch (error) {
      try {
        this.#fs.truncate(archive.fd, archive.bytes);
      } catch {
        // The torn member stays; readers skip it.
      }
      // An fsync that failed is not repeated on its descriptor: the next batch opens the file anew.
      this.close();
      throw error;
    }
  }

  #stillNamed(archive: OpenArchive): boolean {
    try {
      return this.#fs.facts(archive.path).ino === archive.ino;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return false;
      throw error;
    }
  }
}

/** `20260301-09` of a time in milliseconds since 1970. */
export function utcHour(timeMs: number): string {
  const iso = new Date(timeMs).toISOString();
  return `${iso.slice(0, 10).replaceAll("-", "")}-${iso.slice(11, 13)}`;
}
