import { describe, expect, it } from "vitest";

import { MemoryBench } from "../support/memory-bench.ts";

describe("memory", () => {
  it("R1: tells a listener of a capture, until it leaves", async () => {
    const bench = await MemoryBench.open();
    let calls = 0;
    const leave = bench.memory.onChange(() => calls++);
    await bench.capture("one");
    expect(calls).toBe(1);
    leave();
    bench.changes.changed();
    expect(calls).toBe(1);
  });

  it("R2: asks for health where it is judged", async () => {
    const { memory } = await MemoryBench.open();
    expect(await memory.health()).toEqual({ status: "ok", checks: [] });
  });

  it("T11: a mistake in the program is not taken for a store that is away", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("a heron");
    bench.away = new TypeError("a mistake");
    const { memory } = bench;
    const ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const calls = [
      memory.search({ query: "heron" }),
      memory.recent({}),
      memory.get({ ulid }),
      memory.receipt(ulid),
    ];
    const ends = await Promise.allSettled(calls);
    expect(ends.map((end) => end.status === "rejected" && end.reason)).toEqual(
      calls.map(() => bench.away),
    );
  });
});
