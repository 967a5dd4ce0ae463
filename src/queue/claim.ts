/**
 * Marks: who is at work on a record, and how often it failed.
 *
 * Guarantees: of processes that use marks, one handles a record at a time as long as its mark is
 * touched; a mark within 10 s of now, in either direction, is honoured whatever it is (file,
 * directory, another program's lock). A mark is never removed at exit: a dead process's mark keeps
 * its attempts and becomes stale. Does not guarantee exactly one handler through crashes and
 * stalls: handlers are idempotent by id.
 */
import { hostname } from "node:os";
import { type Clock, systemClock } from "../platform/clock.ts";
import type { FileFacts } from "../platform/durable-fs.ts";
import { type DurableFsSync, writeAllSync } from "../platform/durable-fs-sync.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import { markPath, type QueueLayout, tempPath } from "./layout.ts";
import { type MarkMemory, type OwnMark, processMemory } from "./mark-memory.ts";
import { isWaiting, type MarkState, NO_ATTEMPTS, parseState } from "./mark-state.ts";

export const MARK_FRESH_MS = 10_000;
export const MARK_TOUCH_MS = 3_000;
const TAKE_TRIES_MAX = 3;
const MARK_BYTES_MAX = 4_096;

export interface Claim {
  readonly ulid: string;
  readonly state: MarkState;
  /** Shows that the handler is alive. */
  touch(): void;
  /**
   * Leaves the mark with what was learnt; this process may claim again at once. A mark that was
   * taken over meanwhile is its new owner's and stays as it is.
   */
  fail(state: MarkState): void;
  /** Removes the mark, if it is still ours. */
  release(): void;
  /** Lets go without a verdict: a mark that remembers attempts stays, as it was. */
  giveBack(): void;
}

export class Claims {
  readonly #fs: DurableFsSync;
  readonly #layout: QueueLayout;
  readonly #clock: Clock;
  readonly #own: Map<string, OwnMark>;
  readonly #active: Set<string>;

  /** @param memory a seam: one of its own stands for another process */
  constructor(
    fs: DurableFsSync,
    layout: QueueLayout,
    clock: Clock = systemClock,
    memory: MarkMemory = processMemory(layout.dir),
  ) {
    this.#fs = fs;
    this.#layout = layout;
    this.#clock = clock;
    this.#own = memory.own;
    this.#active = memory.active;
  }

  /**
   * Takes the record, or says undefined: another holds it, or its next attempt is not due.
   * @param options.dueOrNot takes a record whose wait is not over, too
   * @throws system errors of the directory (ENOSPC, EACCES, …)
   */
  take(ulid: string, options: { dueOrNot?: boolean } = {}): Claim | undefined {
    if (this.#active.has(ulid)) return undefined;
    let carried = NO_ATTEMPTS;
    for (let tries = 0; tries < TAKE_TRIES_MAX; tries++) {
      if (this.#create(ulid, carried)) return this.#claim(ulid, carried);
      const facts = this.#factsOfMark(ulid);
      if (!facts) continue; // released between the two calls
      const own = this.#ownMark(ulid, facts);
      const state = own?.state ?? this.#readState(ulid, facts);
      const nowMs = this.#clock.nowMs();
      if (!own && Math.abs(nowMs - facts.mtimeMs) <= MARK_FRESH_MS) return undefined;
      if (!options.dueOrNot && isWaiting(state, nowMs)) return undefined;
      if (own) {
        this.#touch(ulid);
        return this.#claim(ulid, state);
      }
      if (!this.#clearAway(ulid, facts)) return undefined;
      carried = state;
    }
    return undefined;
  }

  #create(ulid: string, state: MarkState): boolean {
    let fd: number;
    try {
      fd = this.#fs.openExclusive(markPath(this.#layout, ulid));
    } catch (error) {
      if (isErrno(error, "EEXIST")) return false;
      throw error;
    }
    try {
      writeAllSync(this.#fs, fd, Buffer.from(this.#content(state)));
    } catch {
      // The name is the mark; its content is for people and for attempts, and may be missing.
    } finally {
      this.#fs.close(fd);
    }
    this.#remember(ulid, state);
    return true;
  }

  #claim(ulid: string, state: MarkState): Claim {
    this.#active.add(ulid);
    const claim: Claim = {
      ulid,
      state,
      touch: () => this.#touch(ulid),
      fail: (failed) => {
        this.#active.delete(ulid);
        try {
          const facts = this.#factsOfMark(ulid);
          if (facts && !this.#ownMark(ulid, facts)) return;
          this.#fs.replace(markPath(this.#layout, ulid), this.#content(failed), "none");
        } catch (error) {
          // A full disk: the mark lies there since it was taken, and this process knows the rest.
          if (errnoOf(error) === undefined) throw error;
        }
        this.#remember(ulid, failed);
      },
      release: () => {
        this.#active.delete(ulid);
        const facts = this.#factsOfMark(ulid);
        const ours = facts !== undefined && this.#ownMark(ulid, facts) !== undefined;
        this.#own.delete(ulid);
        if (ours) ignoreMissing(() => this.#fs.unlink(markPath(this.#layout, ulid)));
      },
      giveBack: () => {
        if (state.attempts === 0) claim.release();
        else claim.fail(state);
      },
    };
    return claim;
  }

  #content(state: MarkState): string {
    return JSON.stringify({
      pid: process.pid,
      host: hostname(),
      attempts: state.attempts,
      faults: state.faults,
      ...(state.code === undefined ? {} : { code: state.code }),
      ...(state.retryAtMs === undefined ? {} : { retry_at_ms: state.retryAtMs }),
    });
  }

  #touch(ulid: string): void {
    const facts = this.#factsOfMark(ulid);
    const own = facts && this.#ownMark(ulid, facts);
    if (!own) return; // taken over while we stalled
    ignoreMissing(() => this.#fs.touch(markPath(this.#layout, ulid), this.#clock.nowMs()));
    this.#remember(ulid, own.state);
  }

  #remember(ulid: string, state: MarkState): void {
    const facts = this.#factsOfMark(ulid);
    if (facts) this.#own.set(ulid, { ino: facts.ino, mtimeMs: facts.mtimeMs, state });
  }

  /** Inode and mtime together: a file system gives a freed inode number to the next file. */
  #ownMark(ulid: string, facts: FileFacts): OwnMark | undefined {
    const own = this.#own.get(ulid);
    if (own?.ino === facts.ino && own.mtimeMs === facts.mtimeMs) return own;
    this.#own.delete(ulid);
    return undefined;
  }

  /** Moves a stale mark out of the way; false if it turns out to be somebody's after all. */
  #clearAway(ulid: string, stale: FileFacts): boolean {
    const path = markPath(this.#layout, ulid);
    const aside = tempPath(this.#layout, ulid);
    try {
      this.#fs.rename(path, aside);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return true;
      throw error;
    }
    const moved = this.#fs.facts(aside);
    if (moved.ino === stale.ino && moved.mtimeMs === stale.mtimeMs) {
      if (moved.kind !== "directory") {
        this.#fs.unlink(aside);
        return true;
      }
      try {
        this.#fs.removeDirectory(aside);
        return true;
      } catch (error) {
        if (!isErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
        // Not a lock that we know: put it back and leave the record to its owner.
      }
    }
    this.#putBack(aside, path, moved.kind);
    return false;
  }

  #putBack(aside: string, path: string, kind: FileFacts["kind"]): void {
    if (kind === "directory") {
      this.#fs.rename(aside, path);
      return;
    }
    try {
      this.#fs.link(aside, path);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error; // a third process made its own: that one counts
    }
    this.#fs.unlink(aside);
  }

  #factsOfMark(ulid: string): FileFacts | undefined {
    try {
      return this.#fs.facts(markPath(this.#layout, ulid));
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** What a mark says of attempts; a mark that says nothing readable counts none. */
  #readState(ulid: string, facts: FileFacts): MarkState {
    if (facts.kind !== "file" || facts.bytes === 0 || facts.bytes > MARK_BYTES_MAX) {
      return NO_ATTEMPTS;
    }
    try {
      const fd = this.#fs.openRead(markPath(this.#layout, ulid));
      const buffer = Buffer.alloc(facts.bytes);
      try {
        this.#fs.read(fd, buffer);
      } finally {
        this.#fs.close(fd);
      }
      return parseState(JSON.parse(buffer.toString("utf8")));
    } catch {
      return NO_ATTEMPTS; // torn by a crash, or another program's: attempts start again
    }
  }
}

function ignoreMissing(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error; // gone is what was wanted, or somebody took it over
  }
}
