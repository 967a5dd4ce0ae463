/**
 * How late this thread's event loop is: the 99th percentile of the time since the last look.
 *
 * Guarantees: measured by a timer inside libuv that runs no JavaScript and keeps no process alive;
 * a look reads its histogram and empties it. A loop that is blocked for longer than the time between
 * two looks is not taken for an idle one: where no sample came the last value stays. Does not see a
 * block that begins within the first period after a look, because Node drops the first sample of an
 * emptied histogram: a lasting delay shows all the same. What
 * it says may be a period too little. Costs 25 wake-ups of the thread a second: about a fifth of a
 * percent of a core.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";

/** A sample a period; a delay is what a sample takes beyond it. */
const RESOLUTION_MS = 40;
const NS_PER_MS = 1_000_000;

export class LoopDelay {
  #histogram: IntervalHistogram | undefined;
  #delayMs = 0;

  start(): void {
    this.#histogram ??= monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram?.disable();
  }

  /** Milliseconds; 0 before the first sample. */
  look(): number {
    const histogram = this.#histogram;
    if (!histogram || histogram.count === 0) return this.#delayMs;
    this.#delayMs = Math.max(0, histogram.percentile(99) / NS_PER_MS - RESOLUTION_MS);
    histogram.reset();
    return this.#delayMs;
  }
}
