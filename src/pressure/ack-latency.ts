/**
 * How long captures took until they were acknowledged, over the last minute.
 *
 * Guarantees: bounded in memory and time at any rate of captures: counts in classes, one set a
 * second. A figure is the upper end of its class, at most a tenth too high.
 */
const SECONDS = 60;
const CLASSES_PER_DOUBLING = 8;
const LOWEST_MS = 1 / 32;
/** From LOWEST_MS in twenty doublings up to 32 s; what is beyond counts as that. */
const CLASSES = 20 * CLASSES_PER_DOUBLING;

export class AckLatency {
  readonly #counts = new Uint32Array(SECONDS * CLASSES);
  /** The second that a set of counts is of. */
  readonly #seconds = new Float64Array(SECONDS).fill(Number.NEGATIVE_INFINITY);

  /** @param nowMs of the monotonic clock */
  add(ms: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    const set = second % SECONDS;
    if (this.#seconds[set] !== second) {
      this.#seconds[set] = second;
      this.#counts.fill(0, set * CLASSES, (set + 1) * CLASSES);
    }
    const at = set * CLASSES + classOf(ms);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  /** Milliseconds; 0 where nothing was acknowledged. */
  percentiles(nowMs: number): { readonly p50Ms: number; readonly p99Ms: number } {
    const totals = new Float64Array(CLASSES);
    const oldest = Math.floor(nowMs / 1_000) - SECONDS;
    for (let set = 0; set < SECONDS; set++) {
      if ((this.#seconds[set] as number) <= oldest) continue;
      for (let at = 0; at < CLASSES; at++) {
        totals[at] = (totals[at] ?? 0) + (this.#counts[set * CLASSES + at] as number);
      }
    }
    return { p50Ms: percentile(totals, 0.5), p99Ms: percentile(totals, 0.99) };
  }
}

function classOf(ms: number): number {
  const at = Math.ceil(Math.log2(Math.max(ms, LOWEST_MS) / LOWEST_MS) * CLASSES_PER_DOUBLING);
  return Math.min(CLASSES - 1, at);
}

function percentile(totals: Float64Array, share: number): number {
  const count = totals.reduce((sum, total) => sum + total, 0);
  if (count === 0) return 0;
  let left = Math.ceil(count * share);
  const at = totals.findIndex((total) => {
    left -= total;
    return left <= 0;
  });
  return Number((LOWEST_MS * 2 ** (at / CLASSES_PER_DOUBLING)).toPrecision(3));
}
