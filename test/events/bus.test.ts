import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { SignalBus, SUBSCRIBER_SIGNALS_MAX, SUBSCRIBERS_MAX } from "../../src/events/bus.ts";
import { Ring } from "../../src/events/ring.ts";
import { type Signal, signalOf } from "../../src/events/signal.ts";

function signal(pid: number): Signal {
  return signalOf({ event: "server_started", fields: { pid, version: "1" } }, 0) as Signal;
}

const pids = (signals: readonly Signal[]) => signals.map(({ context }) => context.pid);

it("P6: a subscriber that never takes keeps the newest 32, and what went is counted", () => {
  const bus = new SignalBus();
  const slow = bus.subscribe();
  const quick = bus.subscribe();
  for (let pid = 1; pid <= 40; pid++) {
    bus.publish(signal(pid));
    expect(pids(quick.take())).toEqual([pid]);
  }
  expect(SUBSCRIBER_SIGNALS_MAX).toBe(32);
  expect(pids(slow.take())).toEqual(Array.from({ length: 32 }, (_, index) => index + 9));
  expect([slow.dropped, quick.dropped, bus.dropped]).toEqual([8, 0, 8]);
});

it("P6: the bus never says by itself that it dropped something", () => {
  const bus = new SignalBus();
  const slow = bus.subscribe();
  const others = bus.subscribe();
  const seen: unknown[] = [];
  for (let pid = 1; pid <= 1_000; pid++) {
    bus.publish(signal(pid));
    seen.push(...pids(others.take()));
  }
  expect(seen).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
  expect(slow.take()).toHaveLength(32);
});

it("P6: a subscriber is woken at a later turn, once for all that came", async () => {
  const bus = new SignalBus();
  const woken: unknown[][] = [];
  const subscription = bus.subscribe(() => woken.push(pids(subscription.take())));
  bus.publish(signal(1));
  bus.publish(signal(2));
  expect(woken).toEqual([]);
  await nextTurn();
  expect(woken).toEqual([[1, 2]]);
  bus.publish(signal(3));
  await nextTurn();
  expect(woken).toEqual([[1, 2], [3]]);
});

it("P6: a subscriber that throws reaches neither who publishes nor the others", async () => {
  const bus = new SignalBus();
  let calls = 0;
  bus.subscribe(() => {
    calls++;
    throw new Error("a subscriber failed");
  });
  const other = bus.subscribe();
  bus.publish(signal(1));
  await nextTurn();
  bus.publish(signal(2));
  await nextTurn();
  expect(calls).toBe(2);
  expect(pids(other.take())).toEqual([1, 2]);
});

it("P6: an ended subscription is neither fed nor woken", async () => {
  const bus = new SignalBus();
  let calls = 0;
  const ended = bus.subscribe(() => calls++);
  bus.publish(signal(1));
  ended.end();
  bus.publish(signal(2));
  await nextTurn();
  expect([calls, ended.take(), bus.dropped]).toEqual([0, [], 0]);
});

it("P6: a signal published while one is handled waits for the next turn, without an end", async () => {
  const bus = new SignalBus();
  let calls = 0;
  const subscription = bus.subscribe(() => {
    subscription.take();
    if (++calls < 3) bus.publish(signal(calls));
  });
  bus.publish(signal(0));
  for (let turn = 0; turn < 6; turn++) await nextTurn();
  expect(calls).toBe(3);
});

it("refuses more subscribers than it has room for, and rings without room", () => {
  const bus = new SignalBus();
  for (let count = 0; count < SUBSCRIBERS_MAX; count++) bus.subscribe();
  expect(() => bus.subscribe()).toThrow(TypeError);
  expect(() => new Ring(0)).toThrow(TypeError);
});
