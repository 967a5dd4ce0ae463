/**
 * Where ids come from: ULIDs (https://github.com/ulid/spec) that sort in the order they were made.
 *
 * Guarantees: ids of one source are unique and strictly increasing, also within a millisecond and
 * while the clock steps back; no id is in or before the millisecond of an id given to
 * `startAfter`. The random part is always fresh, never continued from a given id, so two processes
 * that start after the same id can not make equal ones.
 * Does not guarantee order between processes within a millisecond. A clock that is corrected back
 * by more than 24 hours is believed: such ids sort before those made in the wrong future.
 */
import { decodeTime, encodeTime, monotonicFactory } from "ulid";
import { type Clock, systemClock } from "../platform/clock.ts";

/** Further ahead than this an id says nothing but that a clock was wrong. */
export const ID_AHEAD_MAX_MS = 24 * 3_600_000;

export class RecordIds {
  readonly #clock: Clock;
  #nextAfter = monotonicFactory();
  #lastMs = 0;
  #floorMs = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /**
   * Makes all later ids greater than the given one.
   * @returns how far ahead of the clock an id is that was ignored for it, in milliseconds
   */
  startAfter(ulid: string): { ignoredAheadMs: number } {
    const nowMs = this.#clock.nowMs();
    const atMs = decodeTime(ulid);
    if (isFarAhead(ulid, nowMs)) return { ignoredAheadMs: atMs - nowMs };
    this.#floorMs = Math.max(this.#floorMs, atMs + 1);
    return { ignoredAheadMs: 0 };
  }

  next(): string {
    // A fractional time would poison the factory's increment for good.
    const nowMs = Math.floor(this.#clock.nowMs());
    if (this.#lastMs - nowMs > ID_AHEAD_MAX_MS) {
      this.#nextAfter = monotonicFactory();
      this.#lastMs = 0;
      this.#floorMs = 0;
    }
    this.#lastMs = Math.max(nowMs, this.#lastMs, this.#floorMs);
    return this.#nextAfter(this.#lastMs);
  }
}

/** True for an id that only a wrong clock, or a caller's own choice, can explain. */
export function isFarAhead(ulid: string, nowMs: number): boolean {
  return decodeTime(ulid) - nowMs > ID_AHEAD_MAX_MS;
}

const processIds = new RecordIds();

/** An id of this process, greater than every one it made before. */
export function generateUlid(): string {
  return processIds.next();
}

/** Milliseconds since 1970 at which the id was made. */
export function ulidTimeMs(ulid: string): number {
  return decodeTime(ulid);
}

/** What sorts before every id of this millisecond, and behind every earlier one. */
export function idsFrom(timeMs: number): string {
  return encodeTime(Math.floor(timeMs));
}
