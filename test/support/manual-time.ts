/** Time that moves only when a test moves it. */
import type { Timing } from "../../src/platform/timing.ts";

export class ManualTime implements Timing {
  #nowMs = 0;
  #planned: { atMs: number; run: () => void }[] = [];

  readonly clock = { nowMs: () => this.#nowMs, monotonicMs: () => this.#nowMs };

  readonly schedule = (delayMs: number, run: () => void): (() => void) => {
    const entry = { atMs: this.#nowMs + delayMs, run };
    this.#planned.push(entry);
    return () => {
      this.#planned = this.#planned.filter((other) => other !== entry);
    };
  };

  get plannedCount(): number {
    return this.#planned.length;
  }

  /** Moves on and runs what falls due on the way, in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#planned
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#planned = this.#planned.filter((other) => other !== next);
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = endMs;
  }
}
