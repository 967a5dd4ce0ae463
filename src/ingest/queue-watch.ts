/**
 * Tells cheaply whether the queue may hold something new: by the mtimes of the queue directory, of the
 * overflow directory and of the orders to forget, three stats a look.
 *
 * Guarantees: never says "no" when a name was added since the last listing began. The kernel stamps
 * directories with a coarse clock, so a name that came within a tick of the listing may leave the
 * mtime as it was; until the mtime is safely in the past, the answer is "maybe". Nor can a file
 * server's clock that lags behind ours hide a name for longer than RELIST_MS.
 */
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import type { QueueLayout } from "../queue/layout.ts";

/** Well beyond the coarsest kernel tick (10 ms) and FAT's two seconds. */
export const SETTLED_MS = 2_500;
/** Records that were left behind become due without any change of the directory. */
export const LEFT_BEHIND_LOOK_MS = 5_000;
/** The listing is the truth; a look at the mtime only saves most of them. */
export const RELIST_MS = 30_000;

export class QueueWatch {
  /** Whether the last drain left records that become due by time alone. */
  leftBehind = false;
  readonly #fs: DurableFsSync;
  readonly #layout: QueueLayout;
  readonly #clock: Clock;
  /** Directory → its mtime at the last listing; NaN where that may have missed a name. */
  readonly #mtimesMs: Map<string, number | undefined>;
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #flushMtimeMs: number | undefined;

  constructor(fs: DurableFsSync, layout: QueueLayout, clock: Clock) {
    this.#fs = fs;
    this.#layout = layout;
    this.#clock = clock;
    this.#flushMtimeMs = this.#mtimeOf(layout.flushFile);
    const dirs = [layout.dir, layout.overflowDir, layout.forgetDir];
    this.#mtimesMs = new Map(dirs.map((dir) => [dir, Number.NaN]));
  }

  /** Call it right before a listing: names that come from then on will show. */
  listing(): void {
    for (const dir of this.#mtimesMs.keys()) {
      const mtimeMs = this.#mtimeOf(dir);
      // The first order to forget makes its directory, whose absence is as good as an old time.
      const absent = mtimeMs === undefined && dir === this.#layout.forgetDir;
      const settled = mtimeMs !== undefined && this.#clock.nowMs() - mtimeMs > SETTLED_MS;
      this.#mtimesMs.set(dir, settled || absent ? mtimeMs : Number.NaN);
    }
    this.#listedAtMs = this.#clock.monotonicMs();
  }

  mayHaveChanged(): boolean {
    const ageMs = this.#clock.monotonicMs() - this.#listedAtMs;
    if (ageMs > (this.leftBehind ? LEFT_BEHIND_LOOK_MS : RELIST_MS)) return true;
    for (const [dir, mtimeMs] of this.#mtimesMs) if (this.#mtimeOf(dir) !== mtimeMs) return true;
    return false;
  }

  /** True once for every time that somebody touched the flush file. */
  flushWanted(): boolean {
    const mtimeMs = this.#mtimeOf(this.#layout.flushFile);
    if (mtimeMs === this.#flushMtimeMs) return false;
    this.#flushMtimeMs = mtimeMs;
    return mtimeMs !== undefined;
  }

  /** undefined if nothing is there, or it can not be looked at: the listing then says why. */
  #mtimeOf(path: string): number | undefined {
    try {
      return this.#fs.facts(path).mtimeMs;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return undefined;
    }
  }
}

/**
 * Asks the leading process, whichever it is, to drain now: effect on disk is the flush file's mtime.
 * A wish that can not be written is none the worse: the leader looks at the queue by itself.
 */
export function requestFlush(fs: DurableFsSync, layout: QueueLayout, clock: Clock): void {
  try {
    fs.close(fs.openAppend(layout.flushFile));
    fs.touch(layout.flushFile, clock.nowMs());
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
