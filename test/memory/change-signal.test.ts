import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CHANGE_INTERVAL_MS, ChangeSignal } from "../../src/memory/change-signal.ts";

describe("ChangeSignal", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function counted(signal: ChangeSignal) {
    const counter = { calls: 0, leave: () => {} };
    counter.leave = signal.subscribe(() => {
      counter.calls++;
    });
    return counter;
  }

  it("R1: tells at once, and of a burst at its start and its end", () => {
    const signal = new ChangeSignal();
    const counter = counted(signal);
    for (let n = 0; n < 100; n++) signal.changed();
    expect(counter.calls).toBe(1);
    vi.advanceTimersByTime(CHANGE_INTERVAL_MS - 1);
    expect(counter.calls).toBe(1);
    vi.advanceTimersByTime(1);
    expect(counter.calls).toBe(2);
    vi.advanceTimersByTime(10 * CHANGE_INTERVAL_MS);
    expect(counter.calls).toBe(2);
    signal.changed();
    expect(counter.calls).toBe(3);
  });

  it("R1: tells at most once an interval, and of the last change within one", () => {
    const signal = new ChangeSignal();
    const counter = counted(signal);
    for (let ms = 0; ms < 5 * CHANGE_INTERVAL_MS; ms += 100) {
      signal.changed();
      vi.advanceTimersByTime(100);
    }
    expect(counter.calls).toBe(6);
    vi.advanceTimersByTime(CHANGE_INTERVAL_MS);
    expect(counter.calls).toBe(6);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("R1: sets no timer while nobody listens", () => {
    const signal = new ChangeSignal();
    signal.changed();
    expect(vi.getTimerCount()).toBe(0);
    const counter = counted(signal);
    counter.leave();
    signal.changed();
    expect([vi.getTimerCount(), counter.calls]).toEqual([0, 0]);
  });

  it("R1: keeps a listener's failure from who reports and from the others", () => {
    const signal = new ChangeSignal();
    signal.subscribe(() => {
      throw new Error("a broken listener");
    });
    const counter = counted(signal);
    signal.changed();
    expect(counter.calls).toBe(1);
    signal.changed();
    vi.advanceTimersByTime(CHANGE_INTERVAL_MS);
    expect(counter.calls).toBe(2);
  });

  it("R1: a listener may renew its subscription while it is told", () => {
    const signal = new ChangeSignal();
    let calls = 0;
    const renew = () => {
      const leave = signal.subscribe(() => {
        calls++;
        leave();
        renew();
      });
    };
    renew();
    signal.changed();
    expect(calls).toBe(1);
  });

  it("R1: tells nobody any more once it is closed", () => {
    const signal = new ChangeSignal();
    const counter = counted(signal);
    signal.changed();
    signal.changed();
    signal.close();
    signal.close();
    signal.changed();
    vi.advanceTimersByTime(10 * CHANGE_INTERVAL_MS);
    expect([counter.calls, vi.getTimerCount()]).toEqual([1, 0]);
  });
});
