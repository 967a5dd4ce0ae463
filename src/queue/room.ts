/**
 * How many records may be pending, and who waits when there are as many.
 *
 *   take ── below the limit ─▶ place given ── append ends ─▶ done
 *     └── at the limit ─▶ waiting ─▶ count anew ─▶ make room ─▶ place given, or QUEUE_FULL
 *
 * Guarantees: places are given out only below the limit, so pending records of one process never
 * exceed it. The directory is listed only when the limit seems reached: since the last listing this
 * object counts its own appends and, by the ledger that all processes write, everybody's. What
 * others have published and not yet noted there is all that can be beyond the limit; a second count,
 * CORRECT_MS after an append near the limit, brings it down again. What the ingester takes away in
 * between is not seen, so a count is never too small.
 */
import { setTimeout as pause } from "node:timers/promises";
import { MemspoolError } from "../errors.ts";
import type { Ledger, LedgerMark } from "./ledger.ts";
import { notStored, queueFull } from "./queue-full.ts";

/** What a full queue does; the setting `queue.overflow`. */
export type OverflowPolicy = "spill" | "reject" | "drop-oldest";

export interface RoomParts {
  readonly maxRecords: number;
  readonly policy: OverflowPolicy;
  readonly ledger: Pick<Ledger, "mark" | "countSince">;
  /** Ids of pending records, oldest first. */
  readonly list: () => Promise<readonly string[]>;
  /** Told when appends are refused because nobody could be taken. */
  readonly onRefused: (count: number) => void;
  /**
   * Lets the oldest of these leave the queue.
   * @param candidates oldest first
   * @param wanted how many are to go
   * @param depth how many are pending
   * @returns how many went
   */
  readonly prune: (candidates: readonly string[], wanted: number, depth: number) => Promise<number>;
}

/** Second count after an append near the limit. */
const CORRECT_MS = 1_000;
/** Places below the limit within which other processes' appends may go beyond it. */
const NEAR_COUNT = 64;
const WAITING_MAX = 4_096;
/** How often, and after what, a queue is looked at again in which nobody can be taken. */
const LOOKS_IN_VAIN_MAX = 20;
const LOOK_AGAIN_MS = 50;
const HEADROOM_SHARE = 0.01;

interface Waiter {
  readonly ulid: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Room {
  readonly #parts: RoomParts;
  readonly #headroom: number;
  /** Ids of appends that have a place and are not over, with how often. */
  readonly #inFlight = new Map<string, number>();
  readonly #waiting: Waiter[] = [];
  #listed = Number.POSITIVE_INFINITY;
  /** The last estimate; asking the ledger again for each append that ends would cost a system call. */
  #estimated = Number.POSITIVE_INFINITY;
  #mark: LedgerMark | undefined;
  /** Appends that may have left a record without a line in the ledger, since the last listing. */
  #unsure = 0;
  #working: Promise<void> | undefined;
  #again = false;
  #looksInVain = 0;
  #correction: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: RoomParts) {
    this.#parts = parts;
    this.#headroom = headroomOf(parts.maxRecords);
  }

  /**
   * Takes over a listing that was made for another purpose, as its own first one.
   * @param mark the ledger's place right before the listing
   */
  learn(ulids: readonly string[], mark: LedgerMark): void {
    this.#listed = ulids.length;
    this.#mark = mark;
  }

  /**
   * Reserves a place for the append of this id; undefined if it is given at once.
   * @throws MemspoolError QUEUE_FULL (details: retry_after_ms, stored, errno)
   */
  take(ulid: string): Promise<void> | undefined {
    if (this.#waiting.length === 0 && !this.#working && this.#estimate() < this.#parts.maxRecords) {
      this.#give(ulid);
      return undefined;
    }
    if (this.#waiting.length >= WAITING_MAX) return Promise.reject(queueFull(this.#parts));
    const place = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ ulid, resolve, reject });
    });
    this.#work();
    return place;
  }

  /**
   * The append is over.
   * @param outcome "noted": it is pending and in the ledger; "unknown": it may be pending
   */
  done(ulid: string, outcome: "noted" | "none" | "unknown"): void {
    const times = this.#inFlight.get(ulid) ?? 0;
    if (times > 1) this.#inFlight.set(ulid, times - 1);
    else this.#inFlight.delete(ulid);
    if (outcome === "unknown") this.#unsure++;
    if (this.#waiting.length > 0) this.#work();
    else this.#correctLater();
  }

  /** A record became pending otherwise than by an append, such as out of quarantine. */
  cameBack(): void {
    this.#unsure++;
    this.#correctLater();
  }

  /** Ends the second counts. Idempotent. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#correction);
  }

  /** Never less than what is pending, but for what other processes have not noted yet. */
  #estimate(): number {
    if (!this.#mark) return Number.POSITIVE_INFINITY;
    const since = this.#parts.ledger.countSince(this.#mark);
    this.#estimated = this.#listed + since + this.#inFlight.size + this.#unsure;
    return this.#estimated;
  }

  #give(ulid: string): void {
    this.#inFlight.set(ulid, (this.#inFlight.get(ulid) ?? 0) + 1);
  }

  #work(): void {
    this.#again = true;
    this.#working ??= this.#workOff();
  }

  async #workOff(): Promise<void> {
    try {
      // Once for each time that something changed: an append ended, or somebody joined the line.
      while (this.#again && this.#waiting.length > 0) {
        this.#again = false;
        await this.#makeRoom();
      }
    } catch (error) {
      this.#refuseAll(error);
    } finally {
      this.#working = undefined;
    }
  }

  async #makeRoom(): Promise<void> {
    this.#serve();
    if (this.#waiting.length === 0) return;
    const ulids = await this.#count();
    this.#serve();
    if (this.#waiting.length === 0) return;
    const pruned = await this.#prune(ulids, Math.max(this.#headroom, this.#waiting.length));
    this.#serve();
    if (this.#waiting.length === 0) return;
    if (pruned > 0) {
      this.#looksInVain = 0;
      this.#again = true;
    } else if (this.#parts.policy === "reject") {
      this.#refuseAll(queueFull(this.#parts));
    } else if (this.#inFlight.size === 0) {
      // With an append under way there is nothing to do: it becomes a record that may go, or fails
      // and leaves its place. Otherwise others hold all records, perhaps to make room themselves.
      await this.#lookAgainOrRefuse();
    }
  }

  async #lookAgainOrRefuse(): Promise<void> {
    if (this.#looksInVain++ < LOOKS_IN_VAIN_MAX) {
      await pause(LOOK_AGAIN_MS);
      this.#again = true;
      return;
    }
    this.#looksInVain = 0;
    this.#parts.onRefused(this.#waiting.length);
    this.#refuseAll(queueFull(this.#parts));
  }

  /** Counts what lies there, without our own appends that are under way. */
  async #count(): Promise<readonly string[]> {
    // Marked first: a line that comes during the listing is counted twice rather than not at all.
    const mark = this.#parts.ledger.mark();
    const unsure = this.#unsure;
    const ulids = await this.#parts.list();
    this.#serveRepeats(new Set(ulids));
    const settled = ulids.filter((ulid) => !this.#inFlight.has(ulid));
    this.#listed = settled.length;
    this.#mark = mark;
    this.#unsure -= unsure;
    return settled;
  }

  /** @param headroom places to make beyond those that are too many */
  async #prune(ulids: readonly string[], headroom: number): Promise<number> {
    const { maxRecords, policy, prune } = this.#parts;
    if (policy === "reject") return 0;
    const room = Math.min(headroom, maxRecords);
    const known = ulids.length + this.#inFlight.size + this.#unsure;
    // By the listing alone: a line that came to the ledger during it counts twice, and where the
    // clock jumped the ledger says any number. Nobody may go for that; the next count tells.
    const wanted = Math.min(ulids.length, known - maxRecords + room);
    if (wanted <= 0) return 0;
    const candidates = ulids.filter((ulid) => !this.#inFlight.has(ulid));
    const pruned = await prune(candidates, wanted, ulids.length);
    this.#listed -= pruned;
    return pruned;
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#estimate() < this.#parts.maxRecords) {
      this.#admit(this.#waiting.shift() as Waiter);
    }
  }

  /** An append that repeats one which is pending has that one's place: nobody need go for it. */
  #serveRepeats(pending: ReadonlySet<string>): void {
    for (const waiter of this.#waiting.splice(0)) {
      if (pending.has(waiter.ulid)) this.#admit(waiter);
      else this.#waiting.push(waiter);
    }
  }

  #admit({ ulid, resolve }: Waiter): void {
    this.#give(ulid);
    this.#looksInVain = 0;
    resolve();
  }

  #refuseAll(error: unknown): void {
    const full = error instanceof MemspoolError ? notStored(error) : queueFull(this.#parts, error);
    for (const { reject } of this.#waiting.splice(0)) reject(full);
  }

  #correctLater(): void {
    const { maxRecords, policy } = this.#parts;
    if (policy === "reject" || this.#correction || this.#closed) return;
    if (this.#estimated + NEAR_COUNT <= maxRecords) return;
    this.#correction = setTimeout(() => {
      this.#correction = undefined;
      this.#working ??= this.#correct();
    }, CORRECT_MS);
    this.#correction.unref();
  }

  async #correct(): Promise<void> {
    try {
      const ulids = await this.#count();
      if (ulids.length > this.#parts.maxRecords) await this.#prune(ulids, this.#headroom);
    } catch {
      // The next append meets the same failure and reports it.
    } finally {
      this.#working = undefined;
      if (this.#waiting.length > 0) this.#work();
    }
  }
}

/** Places that are made beyond the one that is needed, so that not every append has to. */
function headroomOf(maxRecords: number): number {
  return Math.max(1, Math.floor(maxRecords * HEADROOM_SHARE));
}
