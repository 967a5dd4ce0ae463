/**
 * How many records a second the leader took into the store over the last minute.
 *
 * Guarantees: exact to a step of its window (10 s); of bounded size; a note that nobody replaces
 * loses its records with time, so that a dead leader's rate falls to 0 by itself.
 */

/** When a step began (milliseconds since 1970) and how many records it brought. */
export type RateStep = [atMs: number, count: number];

export const RATE_WINDOW_MS = 60_000;
const STEP_MS = 10_000;

export class IngestRate {
  readonly #steps: RateStep[] = [];
  #total = 0;

  /** @param total records that were ingested since the process started */
  count(total: number, nowMs: number): void {
    const count = total - this.#total;
    this.#total = total;
    const atMs = Math.floor(nowMs / STEP_MS) * STEP_MS;
    // The clock was set back: what it dated ahead would stay until it gets there again.
    while ((this.#steps.at(-1)?.[0] ?? atMs) > atMs) this.#steps.pop();
    const last = this.#steps.at(-1);
    if (last !== undefined && last[0] === atMs) last[1] += count;
    else if (count > 0) this.#steps.push([atMs, count]);
    while ((this.#steps[0]?.[0] ?? nowMs) < nowMs - RATE_WINDOW_MS - STEP_MS) this.#steps.shift();
  }

  get steps(): readonly RateStep[] {
    return this.#steps;
  }
}

/** Records a second, to a tenth. */
export function ratePerS(steps: readonly RateStep[], nowMs: number): number {
  let count = 0;
  for (const [atMs, records] of steps) {
    // Of the step that is leaving the window, that part which is still in it.
    const share = (atMs + STEP_MS - (nowMs - RATE_WINDOW_MS)) / STEP_MS;
    if (atMs <= nowMs) count += records * Math.min(1, Math.max(0, share));
  }
  return Math.round((count / (RATE_WINDOW_MS / 1_000)) * 10) / 10;
}
