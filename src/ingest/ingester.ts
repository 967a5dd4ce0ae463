/**
 * Drains the queue into the store, batch by batch, for as long as it runs.
 *
 *             wake, poll, flush                    nothing left
 *   idle ───────────────────────▶ draining ───────────────────────▶ idle
 *                                  │    ▲
 *              the store's failure ▼    │ delay over, or flush
 *                                 delayed              any ── stop ──▶ stopped
 *
 * Guarantees: a record is settled (archived, unlinked) only after the transaction that holds it
 * has committed; a crash anywhere in between ends with one row, because inserts are by id. Runs
 * beside another ingester without harm. A failing store never loses or quarantines anything: the
 * ingester waits, longer each time, and says so. `stop` finishes the batch in hand.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type ErrorCode, reportError } from "../errors.ts";
import { Claims } from "../queue/claim.ts";
import { DoneArchive } from "../queue/done-archive.ts";
import { HighWater } from "../queue/high-water.ts";
import { listPendingSync, type PendingNames } from "../queue/pending-list.ts";
import { recover } from "../queue/recover.ts";
import type { SetAsideParts } from "../queue/set-aside.ts";
import type { MemoryStore } from "../store/memory-store.ts";
import { type Batch, type BatchParts, readBatch } from "./batch.ts";
import {
  commitAndSettle,
  NOTHING_SETTLED,
  type SettleBatchParts,
  type SettledBatch,
} from "./commit-and-settle.ts";
import { QueueWatch } from "./queue-watch.ts";
import { retryDelayMs } from "./retry-policy.ts";

export interface IngesterOptions extends SetAsideParts {
  /** Opens the store; called again after a failure. */
  readonly openStore: () => Promise<MemoryStore>;
  readonly batchRecordsMax: number;
  readonly pollMs: number;
  readonly random: () => number;
  readonly onReport: (report: IngestReport) => void;
}

export type IngesterState = "idle" | "draining" | "delayed" | "stopped";

/** What the ingester says of itself after each batch and each change of state. */
export interface IngestReport {
  readonly state: IngesterState;
  readonly lastBatch: { readonly atMs: number; readonly count: number; readonly ms: number } | null;
  readonly delayed: {
    readonly code: ErrorCode;
    readonly untilMs: number;
    readonly failures: number;
  } | null;
  readonly totals: {
    readonly ingested: number;
    readonly duplicates: number;
    readonly quarantined: number;
  };
}

export interface DrainOutcome {
  readonly ingested: number;
  readonly quarantined: number;
  /** Records that were left: held by another process, or waiting for their next attempt. */
  readonly skipped: number;
}

export class Ingester {
  readonly #options: IngesterOptions;
  readonly #batchParts: BatchParts;
  readonly #settleParts: SettleBatchParts;
  readonly #watch: QueueWatch;
  #store: MemoryStore | undefined;
  #recovered = false;
  #state: IngesterState = "idle";
  #stopping = false;
  #draining: Promise<DrainOutcome> | undefined;
  #wokenWhileDraining = false;
  #poll: NodeJS.Timeout | undefined;
  #delay: NodeJS.Timeout | undefined;
  #failures = 0;
  #awaySinceMs: number | undefined;
  #delayed: IngestReport["delayed"] = null;
  #lastBatch: IngestReport["lastBatch"] = null;
  readonly #totals = { ingested: 0, duplicates: 0, quarantined: 0 };

  constructor(options: IngesterOptions) {
    const { fs, layout, clock } = options;
    this.#options = options;
    this.#batchParts = {
      ...options,
      claims: new Claims(fs, layout, clock),
      unknownVersions: new Set(),
    };
    this.#settleParts = {
      ...this.#batchParts,
      archive: new DoneArchive(fs, layout, clock),
      highWater: new HighWater(fs, layout),
    };
    this.#watch = new QueueWatch(fs, layout, clock);
  }

  /** Drains now, and then whenever something may have come. */
  start(): void {
    this.#poll ??= setInterval(() => this.#look(), this.#options.pollMs);
    this.wake();
  }

  /** A hint that something is pending. Cheap; may come at any rate. */
  wake(): void {
    if (this.#stopping || this.#delayed) return;
    if (this.#draining) this.#wokenWhileDraining = true;
    else void this.#drainInBackground();
  }

  /** Somebody asks: an ongoing delay is cut short. */
  flush(): void {
    this.#endDelay();
    this.wake();
  }

  /**
   * Drains until nothing is left that can be drained now.
   * @param options.dueOrNot tries records whose next attempt is not due, too
   * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; system errors of queue or archive
   */
  async drain(options: {
    dueOrNot: boolean;
    onBatch?: (ingested: number) => void;
  }): Promise<DrainOutcome> {
    const total = { ingested: 0, quarantined: 0, skipped: 0 };
    this.#recoverOnce();
    for (;;) {
      const listing = listPendingSync(this.#options.fs, this.#options.layout);
      this.#watch.listed();
      const pass = await this.#drainListing(listing, options);
      total.ingested += pass.ingested;
      total.quarantined += pass.quarantined;
      total.skipped = pass.skipped + pass.spent;
      if (pass.ingested + pass.quarantined + pass.spent === 0 || this.#stopping) break;
    }
    this.#watch.leftBehind = total.skipped > 0;
    return total;
  }

  /** Finishes the batch in hand, lets go of everything. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#poll);
    this.#endDelay();
    await this.#draining?.catch(() => {}); // reported where it was caught
    this.#settleParts.archive.close();
    await this.#closeStore();
    this.#enter("stopped");
  }

  #look(): void {
    if (this.#stopping || this.#draining) return;
    if (this.#watch.flushWanted()) this.flush();
    else if (!this.#delayed && this.#watch.mayHaveChanged()) this.wake();
  }

  async #drainInBackground(): Promise<void> {
    this.#enter("draining");
    this.#wokenWhileDraining = false;
    try {
      this.#draining = this.drain({ dueOrNot: false });
      await this.#draining;
      this.#succeeded();
    } catch (error) {
      await this.#backOff(error);
    } finally {
      this.#draining = undefined;
    }
    if (this.#stopping) return;
    this.#enter(this.#delayed ? "delayed" : "idle");
    if (this.#wokenWhileDraining && !this.#delayed) this.wake();
  }

  async #drainListing(
    listing: PendingNames,
    options: { dueOrNot: boolean; onBatch?: (ingested: number) => void },
  ): Promise<DrainOutcome & { spent: number }> {
    const outcome = { ingested: 0, quarantined: 0, skipped: 0, spent: 0 };
    for (let next = 0; next < listing.ulids.length && !this.#stopping; ) {
      const batch = readBatch(this.#batchParts, listing, next, options.dueOrNot);
      next = batch.next;
      const settled = await this.#commit(batch);
      outcome.ingested += settled.inserted + settled.duplicates;
      outcome.quarantined += batch.quarantined + settled.quarantined;
      outcome.skipped += batch.skipped + settled.skipped;
      outcome.spent += batch.spent + settled.spent;
      this.#totals.quarantined += batch.quarantined + settled.quarantined;
      options.onBatch?.(settled.inserted + settled.duplicates);
      await nextTurn(); // a stop may be waiting
    }
    return outcome;
  }

  async #commit(batch: Batch): Promise<SettledBatch> {
    const startedMs = this.#options.clock.monotonicMs();
    if (batch.records.length === 0) return NOTHING_SETTLED;
    this.#store ??= await this.#options.openStore();
    const settled = await commitAndSettle(this.#settleParts, this.#store, batch.records);
    const { inserted, duplicates } = settled;
    const count = inserted + duplicates;
    const ms = this.#options.clock.monotonicMs() - startedMs;
    this.#totals.ingested += inserted;
    this.#totals.duplicates += duplicates;
    this.#lastBatch = { atMs: this.#options.clock.nowMs(), count, ms: Math.round(ms) };
    if (count > 0) {
      this.#options.events.emit("capture_ingested", { count, inserted, duplicates, ms });
    }
    this.#report();
    return settled;
  }

  async #backOff(error: unknown): Promise<void> {
    // A store that failed is opened anew: it may have been replaced, repaired or moved.
    await this.#closeStore();
    this.#noticeStore(error);
    this.#failures++;
    this.#recovered = false; // the directories themselves may be gone
    const waitMs = retryDelayMs(this.#failures, this.#options.random());
    const { code } = reportError(error);
    const untilMs = this.#options.clock.nowMs() + waitMs;
    this.#delayed = { code, untilMs, failures: this.#failures };
    this.#options.events.emit("ingest_delayed", {
      code,
      retry_in_ms: waitMs,
      failures: this.#failures,
    });
    if (this.#stopping) return;
    this.#delay = setTimeout(() => {
      this.#endDelay();
      this.wake();
    }, waitMs);
  }

  #endDelay(): void {
    clearTimeout(this.#delay);
    this.#delay = undefined;
    this.#delayed = null;
  }

  #succeeded(): void {
    this.#failures = 0;
    if (this.#awaySinceMs === undefined) return;
    const awayMs = Math.round(this.#options.clock.monotonicMs() - this.#awaySinceMs);
    this.#awaySinceMs = undefined;
    this.#options.events.emit("store_recovered", { away_ms: awayMs });
  }

  #noticeStore(error: unknown): void {
    const { code, details } = reportError(error);
    if (code !== "STORE_UNAVAILABLE" && code !== "STORE_TOO_NEW") return;
    if (this.#awaySinceMs !== undefined) return; // said already
    this.#awaySinceMs = this.#options.clock.monotonicMs();
    this.#options.events.emit("store_unavailable", { code, reason: String(details.reason ?? "") });
  }

  #recoverOnce(): void {
    if (this.#recovered) return;
    recover(this.#options);
    this.#recovered = true;
  }

  async #closeStore(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    await store?.close().catch(() => {}); // it failed already; its files are in the engine's care
  }

  #enter(state: IngesterState): void {
    if (this.#state === state) return;
    if (this.#state === "stopped") throw new TypeError(`a stopped ingester can not be ${state}`);
    this.#state = state;
    this.#report();
  }

  #report(): void {
    this.#options.onReport({
      state: this.#state,
      lastBatch: this.#lastBatch,
      delayed: this.#delayed,
      totals: { ...this.#totals },
    });
  }
}
