/**
 * Has the index of a store that an earlier text pipeline filled made anew, between batches.
 *
 * Guarantees: a step of the store's is short, and records that are waiting go first: the caller
 * looks at the queue between two steps. What is reached is kept by the store, so whoever leads next
 * goes on. Told when it is begun, or gone on with, and when it is done.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { MemoryStore } from "../store/memory-store.ts";

export interface IndexRenewerParts {
  readonly clock: Clock;
  readonly events: Events;
  /**
   * Whether a store is there: one is not made only to be looked at. Without it, indexes are left as
   * they are.
   */
  readonly storeIsThere?: (() => boolean) | undefined;
}

export class IndexRenewer {
  readonly #parts: IndexRenewerParts;
  /** The store of which nothing is left to do. */
  #current: MemoryStore | undefined;
  /** Of the renewal under way, as far as this process knows. */
  #begunAtMs: number | undefined;

  constructor(parts: IndexRenewerParts) {
    this.#parts = parts;
  }

  /**
   * @returns whether there may be more to do
   * @throws what openStore throws; MemspoolError STORE_UNAVAILABLE
   */
  async step(openStore: () => Promise<MemoryStore>): Promise<boolean> {
    const { clock, events, storeIsThere } = this.#parts;
    if (storeIsThere?.() !== true) return false;
    const store = await openStore();
    if (store === this.#current) return false;
    const startedMs = clock.monotonicMs();
    const { state, from, to, left } = await store.renewIndex();
    if (state !== "none" && this.#begunAtMs === undefined) {
      this.#begunAtMs = startedMs;
      events.emit("index_renewal_begun", { from, to, left });
    }
    if (state === "under_way") {
      await nextTurn(); // a word to stop is heard between two steps
      return true;
    }
    if (state === "done") {
      const ms = Math.round(clock.monotonicMs() - (this.#begunAtMs ?? startedMs));
      events.emit("index_renewed", { from, to, ms });
    }
    this.#current = store;
    this.#begunAtMs = undefined;
    return false;
  }
}
