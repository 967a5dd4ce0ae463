/**
 * What the ingester does besides draining, in its own thread and never at the same time as a batch:
 * orders to forget, a done archive that is too big, records that are too old, an index of an earlier
 * text pipeline.
 *
 * Guarantees: each step is short, so that records that arrive meanwhile need not wait for long.
 */
import type { MemoryStore } from "../store/memory-store.ts";
import { IndexRenewer, type IndexRenewerParts } from "./index-renewer.ts";
import { Purger, type PurgerParts } from "./purger.ts";
import { Retention, type RetentionParts } from "./retention.ts";
import { Trimmer, type TrimmerParts } from "./trimmer.ts";

export type UpkeepParts = IndexRenewerParts & RetentionParts & Pick<TrimmerParts, "trimming">;

/** The ingester, as far as upkeep needs it. */
export interface UpkeepOwner {
  readonly openStore: () => Promise<MemoryStore>;
  readonly isStopping: () => boolean;
  /** There is something new to report. */
  readonly onTrimmed: () => void;
}

export class Upkeep {
  readonly #owner: UpkeepOwner;
  readonly #purger: Purger;
  readonly #renewer: IndexRenewer;
  readonly #retention: Retention;
  /** Used over soft is looked at here. */
  readonly trimmer: Trimmer;

  constructor(parts: UpkeepParts & PurgerParts, owner: UpkeepOwner) {
    this.#owner = owner;
    this.#purger = new Purger(parts);
    this.#renewer = new IndexRenewer(parts);
    this.#retention = new Retention(parts);
    this.trimmer = new Trimmer(parts);
  }

  /** Orders to forget that are to be tried again. */
  get ordersLeft(): number {
    return this.#purger.ordersLeft;
  }

  /** Records that were ordered to be forgotten because of their age. */
  get expired(): number {
    return this.#retention.forgotten;
  }

  /** Forgets and trims, so that neither need wait for the end of a long drain. */
  async betweenBatches(): Promise<void> {
    await this.#purger.runIfDue(this.#owner);
    if (this.trimmer.isDue()) await this.#trimOnce();
  }

  /** @param isWanted whether something else waits for its turn */
  async trim(isWanted: () => boolean): Promise<void> {
    while ((await this.#trimOnce()) && !isWanted());
  }

  async #trimOnce(): Promise<boolean> {
    const before = this.trimmer.report;
    const isMore = await this.trimmer.run(this.#owner.isStopping);
    if (this.trimmer.report !== before) this.#owner.onTrimmed();
    return isMore;
  }

  /** Between passes. @returns whether there may be more to do */
  async step(): Promise<boolean> {
    const { openStore, isStopping } = this.#owner;
    if (isStopping()) return false;
    const expired = await this.#retention.round(openStore, () => this.#purger.open().length);
    return (await this.#renewer.step(openStore)) || expired;
  }
}
