/**
 * Tells cheaply whether the queue may hold something new: by the directory's mtime, one stat a look.
 *
 * Guarantees: never says "no" when a name was added since the last listing. The kernel stamps
 * directories with a coarse clock, so a name that came within a tick of the listing leaves the
 * mtime as it was; until the mtime is safely in the past, the answer is "maybe".
 */
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import type { QueueLayout } from "../queue/layout.ts";

/** Well beyond the coarsest kernel tick (10 ms) and FAT's two seconds. */
const SETTLED_MS = 2_500;
/** Records that were left behind become due without any change of the directory. */
const LEFT_BEHIND_LOOK_MS = 5_000;

export class QueueWatch {
  /** Whether the last drain left records that become due by time alone. */
  leftBehind = false;
  readonly #fs: DurableFsSync;
  readonly #layout: QueueLayout;
  readonly #clock: Clock;
  #mtimeMs = Number.NaN;
  #listedAtMs = 0;
  #flushMtimeMs: number | undefined;

  constructor(fs: DurableFsSync, layout: QueueLayout, clock: Clock) {
    this.#fs = fs;
    this.#layout = layout;
    this.#clock = clock;
    this.#flushMtimeMs = this.#mtimeOf(layout.flushFile);
  }

  /** Call it right after a listing: later names will show. */
  listed(): void {
    const mtimeMs = this.#mtimeOf(this.#layout.dir);
    const settled = mtimeMs !== undefined && this.#clock.nowMs() - mtimeMs > SETTLED_MS;
    this.#mtimeMs = settled ? mtimeMs : Number.NaN;
    this.#listedAtMs = this.#clock.monotonicMs();
  }

  mayHaveChanged(): boolean {
    if (this.leftBehind && this.#clock.monotonicMs() - this.#listedAtMs > LEFT_BEHIND_LOOK_MS) {
      return true;
    }
    return this.#mtimeOf(this.#layout.dir) !== this.#mtimeMs;
  }

  /** True once for every time that somebody touched the flush file. */
  flushWanted(): boolean {
    const mtimeMs = this.#mtimeOf(this.#layout.flushFile);
    if (mtimeMs === this.#flushMtimeMs) return false;
    this.#flushMtimeMs = mtimeMs;
    return mtimeMs !== undefined;
  }

  #mtimeOf(path: string): number | undefined {
    try {
      return this.#fs.facts(path).mtimeMs;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }
}
