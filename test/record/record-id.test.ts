import { describe, expect, it } from "vitest";
import {
  generateUlid,
  ID_AHEAD_MAX_MS,
  RecordIds,
  ulidTimeMs,
} from "../../src/record/record-id.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOUR_MS = 3_600_000;

describe("ids", () => {
  it("Q6: 1,000 made as fast as possible are unique and already sorted", () => {
    const ids = Array.from({ length: 1_000 }, generateUlid);
    expect(new Set(ids).size).toBe(1_000);
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
  });

  it("Q6: keep their order when the clock steps back, also by a fraction", () => {
    const clock = new ManualClock();
    const ids = new RecordIds(clock);
    const made: string[] = [];
    for (const stepMs of [0, -0.5, -HOUR_MS, 0.25, 10, -HOUR_MS]) {
      clock.step(stepMs);
      made.push(ids.next(), ids.next());
    }
    expect([...made].sort()).toEqual(made);
    expect(new Set(made).size).toBe(made.length);
  });

  it("Q6: start behind an id from before a restart, although the clock stepped back", () => {
    const clock = new ManualClock();
    const before = new RecordIds(clock).next();
    clock.step(-HOUR_MS);
    const ids = new RecordIds(clock);
    expect(ids.startAfter(before)).toEqual({ ignoredAheadMs: 0 });
    expect(ids.next() > before).toBe(true);
  });

  it("Q6: two processes that start behind the same id do not make equal ones", () => {
    const clock = new ManualClock();
    const newest = new RecordIds(clock).next();
    clock.step(-HOUR_MS);
    const [one, other] = [new RecordIds(clock), new RecordIds(clock)].map((ids) => {
      ids.startAfter(newest);
      return Array.from({ length: 100 }, () => ids.next());
    });
    expect(new Set([...(one ?? []), ...(other ?? [])]).size).toBe(200);
  });

  it("Q6: an id more than 24 h ahead is ignored and reported", () => {
    const clock = new ManualClock();
    const future = new ManualClock(clock.nowMs() + ID_AHEAD_MAX_MS + 5_000);
    const ids = new RecordIds(clock);
    expect(ids.startAfter(new RecordIds(future).next()).ignoredAheadMs).toBeGreaterThan(
      ID_AHEAD_MAX_MS,
    );
    expect(ulidTimeMs(ids.next())).toBe(clock.nowMs());
  });

  it("Q6: a clock that is corrected back by days is believed", () => {
    const clock = new ManualClock();
    const ids = new RecordIds(clock);
    clock.step(3 * 24 * HOUR_MS);
    ids.next();
    clock.step(-3 * 24 * HOUR_MS);
    expect(ulidTimeMs(ids.next())).toBe(clock.nowMs());
  });
});
