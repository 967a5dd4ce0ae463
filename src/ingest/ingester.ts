/**
 * Drains the queue into the store, batch by batch, for as long as it runs.
 *
 *             wake, poll, flush                    nothing left
 *   idle ───────────────────────▶ draining ───────────────────────▶ idle
 *                                  │    ▲
 *              the store's failure ▼    │ delay over, or flush
 *                                 delayed              any ── stop ──▶ stopped
 *
 * Each pass takes spilled segments first and pending records after them, oldest first.
 * In between, also while idle or delayed, it does what upkeep.ts says: the done archive is trimmed.
 * Guarantees: a record is settled (archived, unlinked) only after the transaction that holds it
 * has committed; a crash anywhere in between ends with one row, because inserts are by id. Runs
 * beside another ingester without harm. A failing store never loses or quarantines anything: the
 * ingester waits, longer each time, and says so. `stop` finishes the batch in hand.
 */
import { errnoOf } from "../platform/errno.ts";
import { Claims } from "../queue/claim.ts";
import { DoneArchive } from "../queue/done-archive.ts";
import { HighWater } from "../queue/high-water.ts";
import { LedgerSync } from "../queue/ledger-sync.ts";
import { listPendingSync } from "../queue/pending-list.ts";
import { recover } from "../queue/recover.ts";
import type { SetAsideParts } from "../queue/set-aside.ts";
import type { MemoryStore } from "../store/memory-store.ts";
import type { BatchParts } from "./batch.ts";
import type { SettleBatchParts, SettledBatch } from "./commit-and-settle.ts";
import type { PassDrive, RunBatch } from "./drain-pass.ts";
import { FailureDelay } from "./failure-delay.ts";
import type { IngesterState, IngestReport } from "./ingest-report.ts";
import { Pace } from "./pace.ts";
import { drainListing } from "./pending-pass.ts";
import { QueueWatch } from "./queue-watch.ts";
import { SegmentPass } from "./segment-pass.ts";
import { StoreHold } from "./store-hold.ts";
import { Upkeep, type UpkeepParts } from "./upkeep.ts";

export interface IngesterOptions extends SetAsideParts, UpkeepParts {
  /** Opens the store; called again after a failure. */
  readonly openStore: () => Promise<MemoryStore>;
  readonly batchRecordsMax: number;
  readonly pollMs: number;
  readonly random: () => number;
  readonly onReport: (report: IngestReport) => void;
}

export interface DrainOutcome {
  readonly ingested: number;
  readonly quarantined: number;
  /** Records that were left: held by another process, or waiting for their next attempt. */
  readonly skipped: number;
}

export interface DrainPass {
  readonly dueOrNot: boolean;
  /** After each batch, with the records of it that are in the store. */
  readonly onBatch?: (ingested: number) => void;
}

export class Ingester {
  readonly #options: IngesterOptions;
  readonly #parts: BatchParts & SettleBatchParts;
  readonly #segments: SegmentPass;
  readonly #upkeep: Upkeep;
  readonly #watch: QueueWatch;
  readonly #store: StoreHold;
  readonly #delay: FailureDelay;
  readonly #pace = new Pace();
  #recovered = false;
  #state: IngesterState = "idle";
  #stopping = false;
  /** The drain under way, with all that follows from it; never rejects. */
  #running: Promise<unknown> | undefined;
  #wokenWhileRunning = false;
  #poll: NodeJS.Timeout | undefined;
  #lastBatch: IngestReport["lastBatch"] = null;
  readonly #totals = { ingested: 0, duplicates: 0, quarantined: 0 };

  constructor(options: IngesterOptions) {
    const { fs, layout, clock, batchRecordsMax } = options;
    this.#options = options;
    this.#parts = {
      ...options,
      batchRecords: () => this.#pace.records(batchRecordsMax),
      claims: new Claims(fs, layout, clock),
      unknownVersions: new Set(),
      leftAlone: new Set(),
      archive: new DoneArchive(fs, layout, clock),
      ledger: new LedgerSync(fs, layout, clock),
      highWater: new HighWater(fs, layout, clock),
    };
    this.#segments = new SegmentPass(this.#parts);
    this.#watch = new QueueWatch(fs, layout, clock);
    this.#store = new StoreHold(options);
    this.#delay = new FailureDelay(options, () => this.flush());
    this.#upkeep = new Upkeep(
      { ...options, ...this.#parts },
      {
        openStore: () => this.#store.open(),
        isStopping: () => this.#stopping,
        onTrimmed: () => this.#report(),
      },
    );
  }

  /** Drains now, and then whenever something may have come. */
  start(): void {
    this.#poll ??= setInterval(() => this.#look(), this.#options.pollMs);
    this.wake();
  }

  /** A hint that something is pending. Cheap; may come at any rate. */
  wake(): void {
    if (this.#stopping || this.#delay.isWaiting) return;
    if (this.#running) this.#wokenWhileRunning = true;
    else this.#running = this.#drainInBackground();
  }

  /** @param share of the full pace, from 0 to 1: see pace.ts */
  pace(share: number): void {
    if (this.#pace.share === share) return;
    this.#pace.set(share);
    this.#report();
  }

  /** Somebody asks: an ongoing delay is cut short, the pace stays. */
  flush(): void {
    this.#delay.end();
    this.wake();
  }

  /** A hint that use is over soft. Cheap; may come at any rate, and helps also while delayed. */
  trim(): void {
    this.#upkeep.trimmer.ask();
    this.#trimIfDue();
  }

  /**
   * Drains until nothing is left that can be drained now, or until it is stopped. For an ingester
   * that was not started.
   * @param options.dueOrNot tries records whose next attempt is not due, too
   * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW; system errors of queue or archive
   */
  async drain(options: DrainPass): Promise<DrainOutcome> {
    if (this.#running) throw new TypeError("a drain is under way already");
    const draining = this.#drainAndTrim(options);
    this.#running = draining.catch(() => {}); // the caller hears of it
    try {
      return await draining;
    } finally {
      this.#running = undefined;
    }
  }

  /** Finishes the batch in hand, lets go of everything. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#pace.stop();
    clearInterval(this.#poll);
    await this.#running;
    this.#delay.stop();
    this.#parts.archive.close();
    await this.#store.close();
    this.#enter("stopped");
  }

  #look(): void {
    if (this.#stopping || this.#running) return;
    if (this.#watch.flushWanted()) this.flush();
    else if (!this.#delay.isWaiting && this.#watch.mayHaveChanged()) this.wake();
    this.#trimIfDue();
  }

  #trimIfDue(): void {
    if (this.#stopping || this.#running || !this.#upkeep.trimmer.isDue()) return;
    this.#running = this.#inBackground(() => this.#upkeep.trim(() => this.#wokenWhileRunning));
  }

  async #drainAndTrim(options: DrainPass): Promise<DrainOutcome> {
    const outcome = await this.#drainAll(options);
    await this.#upkeep.trim(() => false);
    return outcome;
  }

  async #drainInBackground(): Promise<void> {
    this.#enter("draining");
    await this.#inBackground(async () => {
      await this.#drainAll({ dueOrNot: false });
      this.#delay.worked();
    });
  }

  async #inBackground(work: () => Promise<void>): Promise<void> {
    this.#wokenWhileRunning = false;
    try {
      await work();
    } catch (error) {
      await this.#backOff(error);
    }
    this.#running = undefined;
    if (this.#stopping) return;
    this.#enter(this.#delay.isWaiting ? "delayed" : "idle");
    if (this.#wokenWhileRunning) this.wake();
  }

  async #drainAll(options: DrainPass): Promise<DrainOutcome> {
    const { fs, layout } = this.#options;
    const total = { ingested: 0, quarantined: 0, skipped: 0 };
    if (this.#stopping) return total;
    this.#recoverOnce();
    const drive: PassDrive = {
      isStopping: () => this.#stopping,
      commit: (run) => this.#commit(run, options.onBatch),
      onQuarantined: (count) => {
        this.#totals.quarantined += count;
      },
      committedCount: () => this.#totals.ingested + this.#totals.duplicates,
    };
    // Ends when a pass gets nothing further: an attempt is spent at most a few times a record.
    for (let progress = true; progress && !this.#stopping; ) {
      this.#watch.listing();
      await this.#upkeep.betweenBatches();
      const passes = [
        await this.#segments.run(drive, options.dueOrNot),
        await drainListing(this.#parts, listPendingSync(fs, layout), options.dueOrNot, drive),
      ];
      progress = passes.some(
        ({ ingested, forgotten, quarantined, spent }) =>
          ingested + forgotten + quarantined + spent > 0,
      );
      total.skipped = 0;
      for (const { ingested, quarantined, skipped, spent } of passes) {
        total.ingested += ingested;
        total.quarantined += quarantined;
        total.skipped += skipped + spent;
      }
      // One short step, and then what has arrived meanwhile.
      if (await this.#upkeep.step()) progress = true;
    }
    await this.#upkeep.betweenBatches();
    this.#watch.leftBehind = total.skipped > 0 || this.#upkeep.ordersLeft > 0;
    return total;
  }

  async #commit(run: RunBatch, onBatch: DrainPass["onBatch"]): Promise<SettledBatch> {
    const startedMs = this.#options.clock.monotonicMs();
    const settled = await run(() => this.#store.open());
    this.#store.worked();
    this.#delay.gotThrough();
    const { inserted, duplicates } = settled;
    const count = inserted + duplicates;
    const ms = this.#options.clock.monotonicMs() - startedMs;
    this.#totals.ingested += inserted;
    this.#totals.duplicates += duplicates;
    this.#totals.quarantined += settled.quarantined;
    this.#lastBatch = { atMs: this.#options.clock.nowMs(), count, ms: Math.round(ms) };
    if (count > 0) {
      this.#options.events.emit("capture_ingested", { count, inserted, duplicates, ms });
    }
    if (settled.forgotten > 0) {
      this.#options.events.emit("replays_refused", { count: settled.forgotten });
    }
    this.#report();
    onBatch?.(count);
    await this.#upkeep.betweenBatches();
    await this.#pace.rest(ms);
    return settled;
  }

  async #backOff(error: unknown): Promise<void> {
    await this.#store.failed(error);
    if (errnoOf(error) !== undefined) this.#recovered = false; // the directories may be gone
    this.#delay.begin(error, this.#stopping);
  }

  #recoverOnce(): void {
    if (this.#recovered) return;
    recover(this.#options);
    this.#recovered = true;
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
      delayed: this.#delay.current,
      pace: { share: this.#pace.share, pausedMs: this.#pace.pausedMs },
      totals: { ...this.#totals, expired: this.#upkeep.expired },
      trim: this.#upkeep.trimmer.report,
    });
  }
}
