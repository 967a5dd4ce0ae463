/** The event loop while texts are taken apart. */
import { describe, expect, it } from "vitest";
import { MemoryBench } from "../support/memory-bench.ts";

describe("a search through large texts", () => {
  it("S5: lets the event loop serve others while it works through large texts", async () => {
    const bench = await MemoryBench.open();
    const text = "heron reeds water morning ".repeat(4_000);
    const texts = Array.from({ length: 8 }, (_, n) => `${text}${n}`);
    let turns = 0;
    let counting = false;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    const start = () => {
      counting = true;
      setImmediate(count);
    };
    const turnsOf = async (query: string) => {
      turns = 0;
      await bench.memory.search({ query, lifts: { neighbours: false }, limit: 1 });
      counting = false;
      return turns;
    };
    // Counted from an answer on: to read a directory gives turns by itself.
    await bench.captureStored(
      ...texts.map((surface) => ({ surface, occurred_at: "2023-05-07T10:00:00Z" })),
    );
    bench.before.timeline = start;
    expect(await turnsOf("7 May 2023"), "dated").toBeGreaterThanOrEqual(8);
    bench.before.candidates = start;
    expect(await turnsOf("heron"), "stored").toBeGreaterThanOrEqual(8);
    const other = await MemoryBench.open();
    await other.capture(...texts);
    const { spillView } = other;
    const spilled = await spillView.texts();
    spillView.texts = async () => {
      start();
      return spilled;
    };
    turns = 0;
    other.before.candidates = () => {
      counting = false;
    };
    await other.memory.search({ query: "heron", limit: 1 });
    expect(turns, "queued").toBeGreaterThanOrEqual(8);
  });
});
