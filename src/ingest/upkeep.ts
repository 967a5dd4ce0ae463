/**
 * What the ingester does besides draining, in its own thread and never at the same time as a batch:
 * orders to forget, records that are too old, an index of an earlier text pipeline.
 *
 * Guarantees: each step is short, so that records that arrive meanwhile need not wait for long.
 */
import type { MemoryStore } from "../store/memory-store.ts";
import { IndexRenewer, type IndexRenewerParts } from "./index-renewer.ts";
import { Purger, type PurgerParts } from "./purger.ts";
import { Retention, type RetentionParts } from "./retention.ts";

export type UpkeepParts = IndexRenewerParts & RetentionParts;

/** The ingester, as far as upkeep needs it. */
export interface UpkeepOwner {
  readonly openStore: () => Promise<MemoryStore>;
  readonly isStopping: () => boolean;
}

export class Upkeep {
  readonly #owner: UpkeepOwner;
  readonly #purger: Purger;
  readonly #renewer: IndexRenewer;
  readonly #retention: Retention;

  constructor(parts: UpkeepParts & PurgerParts, owner: UpkeepOwner) {
    this.#owner = owner;
    this.#purger = new Purger(parts);
    this.#renewer = new IndexRenewer(parts);
    this.#retention = new Retention(parts);
  }

  /** Orders to forget that are to be tried again. */
  get ordersLeft(): number {
    return this.#purger.ordersLeft;
  }

  /** Records that were ordered to be forgotten because of their age. */
  get expired(): number {
    return this.#retention.forgotten;
  }

  /** Carries out orders to forget; between batches, so that they need not wait for a long drain. */
  async forget(): Promise<void> {
    await this.#purger.runIfDue(this.#owner);
  }

  /** Between passes. @returns whether there may be more to do */
  async step(): Promise<boolean> {
    const { openStore, isStopping } = this.#owner;
    if (isStopping()) return false;
    const expired = await this.#retention.round(openStore, () => this.#purger.open().length);
    return (await this.#renewer.step(openStore)) || expired;
  }
}
