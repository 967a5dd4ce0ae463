import { beforeEach, describe, expect, it } from "vitest";
import { SUBSCRIPTION_COUNT_MAX, Subscriptions } from "../../src/server/subscriptions.ts";
import { FakeMemory } from "../support/fake-memory.ts";
import { ManualTime } from "../support/manual-time.ts";

const STATUS = "memspool://status";

let memory: FakeMemory;
let time: ManualTime;
let told: string[];
let subscriptions: Subscriptions;

beforeEach(() => {
  memory = new FakeMemory();
  time = new ManualTime();
  told = [];
  subscriptions = new Subscriptions({ memory, timing: time, tell: (uri) => told.push(uri) });
});

describe("subscriptions", () => {
  it("R1: tells of a change at once, then at most once a second", () => {
    subscriptions.add(STATUS);
    for (let change = 0; change < 10; change++) memory.change();
    expect(told).toEqual([STATUS]);
    time.advance(999);
    expect(told).toHaveLength(1);
    time.advance(1);
    expect(told).toHaveLength(2);
    time.advance(10_000);
    expect(told).toHaveLength(2);
  });

  it("R1: a steady stream of changes is told once a second", () => {
    subscriptions.add(STATUS);
    for (let elapsedMs = 0; elapsedMs < 10_000; elapsedMs += 100) {
      memory.change();
      time.advance(100);
    }
    expect(told.length).toBeGreaterThanOrEqual(10);
    expect(told.length).toBeLessThanOrEqual(11);
  });

  it("R1: addresses are limited each by itself", () => {
    subscriptions.add(STATUS);
    memory.change();
    subscriptions.add("memspool://health");
    memory.change();
    expect(told).toEqual([STATUS, "memspool://health"]);
    time.advance(1_000);
    expect(told).toEqual([STATUS, "memspool://health", STATUS]);
  });

  it("R1: listens to the memory only while something is watched", () => {
    expect(memory.listenerCount).toBe(0);
    subscriptions.add(STATUS);
    subscriptions.add(STATUS);
    expect(memory.listenerCount).toBe(1);
    memory.change();
    memory.change();
    subscriptions.remove(STATUS);
    expect(memory.listenerCount).toBe(0);
    expect(time.plannedCount).toBe(0);
    time.advance(5_000);
    expect(told).toEqual([STATUS]);
  });

  it("R1: closing forgets everything and can be repeated", () => {
    subscriptions.add(STATUS);
    subscriptions.add("memspool://health");
    subscriptions.close();
    subscriptions.close();
    expect(memory.listenerCount).toBe(0);
    memory.change();
    expect(told).toEqual([]);
  });

  it("X2: the number of watched addresses is bounded", () => {
    for (let index = 0; index < SUBSCRIPTION_COUNT_MAX; index++) subscriptions.add(`${index}`);
    expect(() => subscriptions.add("one more")).toThrow(/256 resources/);
    subscriptions.remove("0");
    subscriptions.add("one more");
  });
});
