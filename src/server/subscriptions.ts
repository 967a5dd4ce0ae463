/**
 * Which resources a client watches, and when it is told to look again.
 *
 * Guarantees: `notifications/resources/updated` at most once a second for one address; a change
 * within that second is told at its end, so the last change is never missed; memory is listened to
 * only while something is watched. Not guaranteed: that the resource really differs; the client
 * reads it to see.
 */
import { MemspoolError } from "../errors.ts";
import type { Memory } from "../memory/memory.ts";
import type { Timing } from "../platform/timing.ts";

export const UPDATE_INTERVAL_MS = 1_000;
export const SUBSCRIPTION_COUNT_MAX = 256;

interface Watch {
  toldAtMs: number;
  cancelPlanned: (() => void) | undefined;
}

export interface SubscriptionsOptions {
  readonly memory: Memory;
  readonly timing: Timing;
  /** Tells the client; never throws. */
  readonly tell: (uri: string) => void;
}

export class Subscriptions {
  readonly #memory: Memory;
  readonly #timing: Timing;
  readonly #tell: (uri: string) => void;
  readonly #watches = new Map<string, Watch>();
  #stopListening: (() => void) | undefined;

  constructor({ memory, timing, tell }: SubscriptionsOptions) {
    this.#memory = memory;
    this.#timing = timing;
    this.#tell = tell;
  }

  /** @throws MemspoolError INVALID_ARGUMENT when too many addresses are watched already */
  add(uri: string): void {
    if (this.#watches.has(uri)) return;
    if (this.#watches.size >= SUBSCRIPTION_COUNT_MAX) {
      throw new MemspoolError(
        "INVALID_ARGUMENT",
        `This session watches ${SUBSCRIPTION_COUNT_MAX} resources already. Unsubscribe from one.`,
        { details: { limit_count: SUBSCRIPTION_COUNT_MAX } },
      );
    }
    this.#watches.set(uri, { toldAtMs: Number.NEGATIVE_INFINITY, cancelPlanned: undefined });
    this.#stopListening ??= this.#memory.onChange(() => this.#changed());
  }

  remove(uri: string): void {
    this.#watches.get(uri)?.cancelPlanned?.();
    this.#watches.delete(uri);
    if (this.#watches.size > 0) return;
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  close(): void {
    for (const uri of [...this.#watches.keys()]) this.remove(uri);
  }

  #changed(): void {
    const nowMs = this.#timing.clock.monotonicMs();
    for (const [uri, watch] of this.#watches) {
      const waitMs = watch.toldAtMs + UPDATE_INTERVAL_MS - nowMs;
      if (waitMs <= 0) this.#tellNow(uri, watch);
      else watch.cancelPlanned ??= this.#timing.schedule(waitMs, () => this.#tellNow(uri, watch));
    }
  }

  #tellNow(uri: string, watch: Watch): void {
    watch.cancelPlanned?.();
    watch.cancelPlanned = undefined;
    watch.toldAtMs = this.#timing.clock.monotonicMs();
    this.#tell(uri);
  }
}
