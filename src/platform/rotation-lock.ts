/**
 * Says which process rotates a log: a plain file beside it, made with `wx` and held for the few
 * milliseconds that a rotation takes.
 *
 * Guarantees: never waits; a lock that is not dated within LOCK_STALE_MS of now, in either
 * direction, was left by a dead process and is taken over. Does not guarantee one rotator at a
 * time: a process that was stopped for longer comes back beside its successor. So the lock only
 * saves work, and the moves in log-files.ts are safe without it.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Clock } from "./clock.ts";
import type { FileFacts } from "./durable-fs.ts";
import { type DurableFsSync, factsIfThere, writeAllSync } from "./durable-fs-sync.ts";
import { errnoOf, isErrno } from "./errno.ts";

export const LOCK_STALE_MS = 10_000;
const TAKE_TRIES_MAX = 2;

export class RotationLock {
  readonly #fs: DurableFsSync;
  readonly #path: string;
  readonly #clock: Clock;
  #held: FileFacts | undefined;

  constructor(fs: DurableFsSync, path: string, clock: Clock) {
    this.#fs = fs;
    this.#path = path;
    this.#clock = clock;
  }

  /**
   * @returns false if another holds it
   * @throws the system error of making it (EACCES, ENOSPC, EROFS, …)
   */
  take(): boolean {
    for (let tries = 0; tries < TAKE_TRIES_MAX; tries++) {
      if (this.#create()) return true;
      const facts = factsIfThere(this.#fs, this.#path);
      if (!facts) continue; // released between the two calls
      if (Math.abs(this.#clock.nowMs() - facts.mtimeMs) <= LOCK_STALE_MS) return false;
      if (!this.#clearAway(facts)) return false;
    }
    return false;
  }

  /** False once another took it over. */
  isOurs(): boolean {
    if (!this.#held) return false;
    const facts = factsIfThere(this.#fs, this.#path);
    return facts !== undefined && isSame(facts, this.#held);
  }

  /** True if it is certain that another has it now. */
  isTakenOver(): boolean {
    try {
      return !this.isOurs();
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return false;
    }
  }

  /** Never throws: what can not be removed becomes stale. */
  release(): void {
    try {
      if (this.isOurs()) this.#fs.unlink(this.#path);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    } finally {
      this.#held = undefined;
    }
  }

  #create(): boolean {
    let fd: number;
    try {
      fd = this.#fs.openExclusive(this.#path);
    } catch (error) {
      if (isErrno(error, "EEXIST")) return false;
      throw error;
    }
    try {
      this.#sign(fd);
      this.#held = this.#fs.factsOfDescriptor(fd);
    } finally {
      this.#fs.close(fd);
    }
    return true;
  }

  /** For people who wonder whose it is; the name alone is the lock. */
  #sign(fd: number): void {
    const content = JSON.stringify({ pid: process.pid, host: hostname() });
    try {
      writeAllSync(this.#fs, fd, Buffer.from(`${content}\n`));
    } catch (error) {
      if (errnoOf(error) === undefined) throw error; // a full disk must not prevent making room
    }
  }

  /** Moves a stale lock out of the way; false if it turns out to be a living one. */
  #clearAway(stale: FileFacts): boolean {
    const aside = `${this.#path}.${randomBytes(6).toString("hex")}`;
    try {
      this.#fs.rename(this.#path, aside);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return true;
      throw error;
    }
    const moved = factsIfThere(this.#fs, aside);
    const removed = moved !== undefined && isSame(moved, stale);
    try {
      if (moved && !removed) this.#fs.link(aside, this.#path);
      this.#fs.unlink(aside);
    } catch (error) {
      // EEXIST: a third made its own meanwhile; ENOENT: it swept ours. Where there are no links, the
      // owner finds its lock gone and stops. What stays under the odd name is swept.
      if (errnoOf(error) === undefined) throw error;
    }
    return removed;
  }
}

/** Inode and mtime together: a file system gives a freed inode number to the next file. */
function isSame(a: FileFacts, b: FileFacts): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.mtimeMs === b.mtimeMs;
}
