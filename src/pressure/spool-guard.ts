/**
 * How full the disk quota is now, as one process knows it: the last look at the disk, its own appends
 * since, and those in flight; and what state that is.
 *
 *   take ──▶ in flight ──▶ done(ulid) ──▶ own append ──▶ seen by a look
 *
 * Guarantees: an own append counts at once. A look counts it instead of, not beside, this: who was
 * over before the look began, and who the look found pending, is not counted here any more. What can
 * not be told is counted too much until the next look, never too little. Who waits for room counts as
 * if it were there: with it, the limit is reached. State is judged anew at each look, each append and
 * each question. Each transition is one `backpressure_changed`; the way back to normal is one
 * `backpressure_cleared`. Nothing is judged before the first look, and nothing any more once all looks
 * have failed for BLIND_MS: what is in use only grows then, and would hold captures up for ever.
 */
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import { type SpoolUsage, usedBytes } from "../queue/spool-usage.ts";
import type { SpoolAdmission } from "./admission.ts";
import { OwnAppends, type SeenUlids } from "./own-appends.ts";
import type { SpoolFacts } from "./pressure-facts.ts";
import {
  holdsHard,
  relievable,
  SPOOL_AT_EASE,
  type SpoolLimits,
  type SpoolLoad,
  type SpoolStanding,
  spoolReason,
  spoolState,
} from "./quota.ts";

/** A disk that nobody could look at for so long holds nobody up. */
export const BLIND_MS = 30_000;

export interface SpoolGuardParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly limits: SpoolLimits;
}

export class SpoolGuard {
  readonly #parts: SpoolGuardParts;
  readonly #listeners = new Set<() => void>();
  readonly #own = new OwnAppends();
  #usage: SpoolUsage | undefined;
  /** Since when all looks fail, on the monotonic clock. */
  #failingSinceMs: number | undefined;
  #standing: SpoolStanding = SPOOL_AT_EASE;
  #sinceMs: number;
  /** On the monotonic clock. */
  #leftNormalAtMs = 0;
  #heldBackBytes = 0;
  #inFlightBytes = 0;
  #inFlightCount = 0;
  /** Of the capture that waits for room and is the first to get it. */
  #wantedBytes = 0;
  #heldUp = { delayed: 0, refused: 0 };

  constructor(parts: SpoolGuardParts) {
    this.#parts = parts;
    this.#sinceMs = parts.clock.nowMs();
  }

  /**
   * A look at the disk ended. One that began before another that has ended says nothing new.
   * @param pendingUlids that the look found
   */
  measured(usage: SpoolUsage, pendingUlids: SeenUlids): void {
    this.#failingSinceMs = undefined;
    if (this.#usage !== undefined && usage.atMs < this.#usage.atMs) return;
    this.#own.seen(usage.atMs, pendingUlids);
    this.#usage = usage;
    this.#judge();
    this.#tell();
  }

  /** A look at the disk failed, or does not end. */
  lookFailed(): void {
    this.#failingSinceMs ??= this.#nowMs();
    this.#judge();
    this.#tell();
  }

  /** Of the archive's old files, those that trimming must leave; see ingest/trimmer. */
  trimHeldBack(bytes: number): void {
    this.#heldBackBytes = bytes;
  }

  /** A capture goes ahead. */
  take(bytes: number): void {
    this.#inFlightBytes += bytes;
    this.#inFlightCount++;
  }

  /**
   * It is over.
   * @param bytes as they were taken
   * @param ulid of what is on disk now; undefined if it may not be there
   */
  done(bytes: number, ulid: string | undefined): void {
    this.#inFlightBytes -= bytes;
    this.#inFlightCount--;
    if (ulid !== undefined) this.#own.add(ulid, bytes, this.#nowMs());
    this.#judge();
    this.#tell();
  }

  /** The first of those that wait for room wants so much; 0 if nobody waits. */
  waitsFor(bytes: number): void {
    if (bytes === this.#wantedBytes) return;
    this.#wantedBytes = bytes;
    this.#judge();
  }

  /** There was no room for one that does not wait: near the limit that makes it hard, too. */
  hadNoRoomFor(bytes: number): void {
    const load = this.#load();
    if (load === undefined || !holdsHard(load, this.#parts.limits)) return;
    const wanted = this.#wantedBytes;
    this.waitsFor(wanted + bytes);
    this.waitsFor(wanted);
  }

  /** For {@link backpressure_cleared}: a capture was slowed or refused. */
  heldUp(how: "delayed" | "refused"): void {
    this.#heldUp[how]++;
  }

  admission(): SpoolAdmission {
    this.#judge();
    const usage = this.#usage;
    if (usage === undefined || this.#isBlind()) {
      return { state: "normal", relievable: false, roomBytes: Number.POSITIVE_INFINITY };
    }
    const { quotaBytes, hardPct } = this.#parts.limits;
    const used = usedBytes(usage) + this.#own.bytes + this.#inFlightBytes;
    const { state, trimmableBytes } = this.#standing;
    const relievable = this.#relievable();
    // While normal nothing is trimmed, because use is under soft: whoever goes over it begins that.
    const yieldBytes = relievable || state === "normal" ? trimmableBytes : 0;
    const roomBytes = (quotaBytes * hardPct) / 100 - used + yieldBytes;
    return { state, relievable, roomBytes };
  }

  facts(): SpoolFacts {
    this.#judge();
    const { quotaBytes, softPct, hardPct } = this.#parts.limits;
    const { state } = this.#standing;
    const load = this.#load();
    return {
      state,
      sinceMs: this.#sinceMs,
      reason: load === undefined ? "" : spoolReason(state, load, this.#parts.limits),
      usage: load && withOwn(load, this.#own.count),
      ...{ quotaBytes, softPct, hardPct },
    };
  }

  /** Pending records, own appends and those in flight with them; undefined where nobody knows. */
  pendingCount(): number | undefined {
    if (this.#usage === undefined || this.#isBlind()) return undefined;
    return this.#usage.pendingCount + this.#own.count + this.#inFlightCount;
  }

  /** Called after each look and after each capture. @returns ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #load(): SpoolLoad | undefined {
    const usage = this.#usage;
    if (usage === undefined) return undefined;
    const { bytes, count } = this.#own;
    const freeBytes = Math.max(0, usage.freeBytes - bytes);
    const freeInodes = Math.max(0, usage.freeInodes - count);
    return {
      usage: { ...usage, freeBytes, freeInodes },
      ownBytes: bytes,
      wantedBytes: this.#wantedBytes,
      heldBackBytes: this.#heldBackBytes,
      nowMs: this.#nowMs(),
    };
  }

  #isBlind(): boolean {
    const sinceMs = this.#failingSinceMs;
    return sinceMs !== undefined && this.#nowMs() - sinceMs >= BLIND_MS;
  }

  #relievable(): boolean {
    return relievable(this.#standing, this.#nowMs());
  }

  #judge(): void {
    const load = this.#load();
    if (load === undefined) return;
    const { events, clock, limits } = this.#parts;
    const { state: from } = this.#standing;
    this.#standing = this.#isBlind() ? SPOOL_AT_EASE : spoolState(this.#standing, load, limits);
    const { state: to } = this.#standing;
    if (to === from) return;
    this.#sinceMs = clock.nowMs();
    const used = usedBytes(load.usage) + load.ownBytes;
    const bytes = { used_bytes: used, quota_bytes: limits.quotaBytes };
    const reason = spoolReason(to, load, limits);
    events.emit("backpressure_changed", { from, to, reason, ...bytes });
    if (from === "normal") {
      this.#leftNormalAtMs = load.nowMs;
      this.#heldUp = { delayed: 0, refused: 0 };
    } else if (to === "normal") {
      const awayMs = Math.round(load.nowMs - this.#leftNormalAtMs);
      events.emit("backpressure_cleared", { away_ms: awayMs, ...this.#heldUp });
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }
}

/** Free space and inodes are less the own appends already. */
function withOwn({ usage, ownBytes }: SpoolLoad, ownCount: number): SpoolUsage {
  return {
    ...usage,
    pendingBytes: usage.pendingBytes + ownBytes,
    pendingCount: usage.pendingCount + ownCount,
  };
}
