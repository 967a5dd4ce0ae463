import { expect, it } from "vitest";
import { SignalBus } from "../../src/events/bus.ts";
import { type FlightLook, FlightRecorder } from "../../src/events/flight-recorder.ts";
import { type Signal, signalOf } from "../../src/events/signal.ts";
import { ManualClock } from "../support/manual-clock.ts";

function signal(pid: number): Signal {
  return signalOf({ event: "server_started", fields: { pid, version: "1" } }, 0) as Signal;
}

function lookOf(depth: number): FlightLook {
  return {
    ...{ heap_bytes: 1, rss_bytes: 2, depth, ack_p50_ms: null, ack_p99_ms: null },
    ...{ loop_delay_ms: null, spool_state: null, used_bytes: null, waiting: null },
    ...{ memory_level: null, governor_state: null, governor_share: null },
  };
}

/** A recorder whose seconds pass when the test says so. */
function recording(look: () => FlightLook = () => lookOf(0)) {
  const clock = new ManualClock();
  const bus = new SignalBus();
  let tick = () => {};
  const timers = { started: 0, stopped: 0 };
  const recorder = new FlightRecorder({
    bus,
    clock,
    look,
    every: (intervalMs, act) => {
      expect(intervalMs).toBe(1_000);
      timers.started++;
      tick = act;
      return () => timers.stopped++;
    },
  });
  const second = (ms = 1_000) => {
    clock.advance(ms);
    tick();
  };
  return { bus, clock, recorder, second, timers };
}

it("P10: keeps the last hundred snapshots, one a second", () => {
  let depth = 0;
  const { recorder, second } = recording(() => lookOf(++depth));
  recorder.start();
  for (let count = 0; count < 130; count++) second();
  const snapshots = recorder.snapshots();
  expect(snapshots).toHaveLength(100);
  expect(snapshots.map((each) => each.depth)).toEqual(
    Array.from({ length: 100 }, (_, index) => index + 31),
  );
  expect(snapshots.at(-1)).toMatchObject({ at: "2026-03-01T09:32:10.000Z", missed: 0 });
  expect(recorder.report().snapshots[0]?.depth).toBe(130);
});

it("P10: a blocked second is a gap, and nothing is made up for it", () => {
  const { recorder, second } = recording();
  recorder.start();
  second();
  second(4_100);
  second(900);
  expect(recorder.snapshots().map(({ missed }) => missed)).toEqual([0, 3, 0]);
});

it("P10: a look that throws costs its second and nothing else", () => {
  let count = 0;
  const { recorder, second } = recording(() => {
    if (++count === 2) throw new Error("no look");
    return lookOf(count);
  });
  recorder.start();
  for (let seconds = 0; seconds < 3; seconds++) second();
  expect(recorder.snapshots().map(({ depth, missed }) => [depth, missed])).toEqual([
    [1, 0],
    [3, 1],
  ]);
});

it("P10: holds the signals of this very turn, and at most a hundred", () => {
  const { bus, recorder } = recording();
  for (let pid = 1; pid <= 130; pid++) {
    bus.publish(signal(pid));
    if (pid % 30 === 0) recorder.signals();
  }
  const pids = recorder.report().signals.map(({ context }) => context.pid);
  expect(pids).toEqual(Array.from({ length: 100 }, (_, index) => 130 - index));
});

it("P10: says how many signals it could not keep up with", () => {
  const { bus, recorder } = recording();
  for (let pid = 1; pid <= 50; pid++) bus.publish(signal(pid));
  expect(recorder.report()).toMatchObject({ dropped: 18, started_at: "2026-03-01T09:30:00.000Z" });
  expect(recorder.report().signals).toHaveLength(32);
});

it("P10: one timer, which stop ends; what was recorded stays", () => {
  const { recorder, second, timers } = recording();
  recorder.start();
  recorder.start();
  second();
  recorder.stop();
  recorder.stop();
  expect(timers).toEqual({ started: 1, stopped: 1 });
  expect(recorder.snapshots()).toHaveLength(1);
});
