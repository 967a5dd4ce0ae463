/**
 * Those who wait for the same length of time, in the order in which they came.
 *
 * Guarantees: one timer, for the first; each is given to `onDue` once, unless it was taken out, or
 * its signal ended its waiting. Adding and the timer cost the same however many wait.
 */
import type { Timing } from "../platform/timing.ts";

interface Waiting<T> {
  readonly item: T;
  readonly dueAtMs: number;
  readonly unlisten: () => void;
}

export class WaitingList<T> {
  readonly #timing: Timing;
  readonly #waitMs: number;
  readonly #onDue: (item: T) => void;
  /** In order: all wait equally long. */
  readonly #waiting = new Set<Waiting<T>>();
  #cancelTimer: (() => void) | undefined;

  constructor(timing: Timing, waitMs: number, onDue: (item: T) => void) {
    this.#timing = timing;
    this.#waitMs = waitMs;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#waiting.size;
  }

  get first(): T | undefined {
    return this.#head()?.item;
  }

  /** @param onAborted is called instead of `onDue` when the signal ends the waiting, with its reason */
  add(item: T, signal: AbortSignal | undefined, onAborted: (reason: unknown) => void): void {
    const abort = () => {
      this.#remove(entry);
      onAborted(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    const entry: Waiting<T> = {
      item,
      dueAtMs: this.#timing.clock.monotonicMs() + this.#waitMs,
      unlisten: () => signal?.removeEventListener("abort", abort),
    };
    this.#waiting.add(entry);
    if (this.#waiting.size === 1) this.#plan();
  }

  takeFirst(): T | undefined {
    const entry = this.#head();
    if (entry !== undefined) this.#remove(entry);
    return entry?.item;
  }

  /** Takes all out, in order. */
  clear(): T[] {
    const items: T[] = [];
    for (const entry of this.#waiting) {
      entry.unlisten();
      items.push(entry.item);
    }
    this.#waiting.clear();
    this.#plan();
    return items;
  }

  #head(): Waiting<T> | undefined {
    return this.#waiting.values().next().value;
  }

  #remove(entry: Waiting<T>): void {
    const wasFirst = this.#head() === entry;
    entry.unlisten();
    this.#waiting.delete(entry);
    if (wasFirst) this.#plan();
  }

  #plan(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const head = this.#head();
    if (head === undefined) return;
    const delayMs = Math.max(0, head.dueAtMs - this.#timing.clock.monotonicMs());
    this.#cancelTimer = this.#timing.schedule(delayMs, () => this.#runDue());
  }

  #runDue(): void {
    this.#cancelTimer = undefined;
    const nowMs = this.#timing.clock.monotonicMs();
    // Only those of now: who is added meanwhile is not due.
    const due: T[] = [];
    for (const entry of this.#waiting) {
      if (entry.dueAtMs > nowMs) break;
      entry.unlisten();
      this.#waiting.delete(entry);
      due.push(entry.item);
    }
    this.#plan();
    for (const item of due) this.#onDue(item);
  }
}
