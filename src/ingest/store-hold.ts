/**
 * The ingester's hold on the store: opened when first needed, let go after a failure.
 *
 * Guarantees: an outage is told once when it begins and once when a commit has gone through again;
 * a store that failed is opened anew, because it may have been replaced, repaired or moved.
 */
import { reportError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { MemoryStore } from "../store/memory-store.ts";

export interface StoreHoldOptions {
  readonly openStore: () => Promise<MemoryStore>;
  readonly clock: Clock;
  readonly events: Events;
}

export class StoreHold {
  readonly #options: StoreHoldOptions;
  #store: MemoryStore | undefined;
  #awaySinceMs: number | undefined;

  constructor(options: StoreHoldOptions) {
    this.#options = options;
  }

  /** @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW, UNSAFE_PATH */
  async open(): Promise<MemoryStore> {
    if (this.#store !== undefined) return this.#store;
    if (this.#awaySinceMs !== undefined) {
      this.#options.events.emit("store_retried", { away_ms: this.#awayMs(this.#awaySinceMs) });
    }
    this.#store = await this.#options.openStore();
    return this.#store;
  }

  /** A commit went through. */
  worked(): void {
    if (this.#awaySinceMs === undefined) return;
    const awayMs = this.#awayMs(this.#awaySinceMs);
    this.#awaySinceMs = undefined;
    this.#options.events.emit("store_recovered", { away_ms: awayMs });
  }

  #awayMs(sinceMs: number): number {
    return Math.round(this.#options.clock.monotonicMs() - sinceMs);
  }

  /** Something went wrong while the store was in use, perhaps not by its fault. */
  async failed(error: unknown): Promise<void> {
    const { code, details } = reportError(error);
    const away = code === "STORE_UNAVAILABLE" || code === "STORE_TOO_NEW";
    if (away && this.#awaySinceMs === undefined) {
      this.#awaySinceMs = this.#options.clock.monotonicMs();
      const reason = String(details.reason ?? "");
      this.#options.events.emit("store_unavailable", { code, reason });
    }
    await this.close();
  }

  /** Idempotent; the next use opens it again. */
  async close(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    await store?.close().catch(() => {}); // it failed already; its files are in the engine's care
  }
}
