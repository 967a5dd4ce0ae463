/** What an answer can show beside its hits: why they rank so, and what was said around them. */
import { describe, expect, it } from "vitest";
import { CONTEXT_TURNS_MAX } from "../../../src/record/limits.ts";
import { failureCode, MemoryBench } from "../../support/memory-bench.ts";

const turns = (count: number, session_id: string) =>
  Array.from({ length: count }, (_, n) => ({
    surface: n === 3 ? "the heron" : `${session_id} turn ${n}`,
    ...{ session_id, role: "user" as const },
  }));

describe("context", () => {
  it("S4: shows the turns before and after, in their order, of the hit's session alone", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored(...turns(7, "a"), ...turns(3, "b"));
    const { results } = await bench.memory.search({ query: "heron", context: 2 });
    expect(results).toHaveLength(1);
    const { before = [], after = [] } = results[0] ?? {};
    expect(before.map(({ snippet }) => snippet)).toEqual(["a turn 1", "a turn 2"]);
    expect(after.map(({ snippet }) => snippet)).toEqual(["a turn 4", "a turn 5"]);
    expect(before[0]).toMatchObject({ role: "user", total_chars: 8 });
  });

  it("S5: reaches from the store into the queue, and within the queue", async () => {
    const bench = await MemoryBench.open();
    const session_id = "a";
    await bench.captureStored({ surface: "the heron", session_id }, { surface: "one", session_id });
    await bench.capture({ surface: "two", session_id }, { surface: "a stork", session_id });
    const around = async (query: string) => {
      const { results } = await bench.memory.search({ query, context: 2 });
      const names = (list: readonly { snippet: string }[] = []) =>
        list.map(({ snippet }) => snippet);
      return [names(results[0]?.before), names(results[0]?.after)];
    };
    expect(await around("heron")).toEqual([[], ["one", "two"]]);
    expect(await around("stork")).toEqual([["one", "two"], []]);
  });

  it("S4: is bounded, and absent unless asked for", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored(...turns(30, "a"));
    const asked = await bench.memory.search({ query: "heron", context: 1_000 });
    expect(asked.results[0]?.after).toHaveLength(CONTEXT_TURNS_MAX);
    expect((await bench.memory.search({ query: "heron" })).results[0]).not.toHaveProperty("after");
    expect(await failureCode(bench.memory.search({ query: "x", context: -1 }))).toBe(
      "INVALID_ARGUMENT",
    );
  });

  it("S4: a hit without a session has nothing around it", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored("one", "the heron", "two");
    const { results } = await bench.memory.search({ query: "heron", context: 3 });
    expect(results).toMatchObject([{ before: [], after: [] }]);
  });
});

describe("explain", () => {
  it("S4: names each word's part, what is missing, and what each step did", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored({ surface: "Heron and reeds", source: "Mara" }, "reeds");
    const query = "What did Mara say of the heron and its reeds and nests?";
    const { results } = await bench.memory.search({ query, explain: true });
    const { explain, score = 0 } = results[0] ?? {};
    expect(explain?.words.map(({ word }) => word)).toEqual(["heron", "and", "reeds"]);
    expect(explain?.words.find(({ word }) => word === "and")?.stop_word).toBe(true);
    expect(explain?.missing).toContain("nests");
    const sum = (explain?.words ?? []).reduce((total, { score: part }) => total + part, 0);
    expect(sum).toBeCloseTo(explain?.bm25 ?? 0, 3);
    const { coverage = 1, speaker = 1 } = explain?.steps ?? {};
    expect((explain?.bm25 ?? 0) * coverage * speaker).toBeCloseTo(score, 2);
    expect(speaker).toBeGreaterThan(1);
    expect((await bench.memory.search({ query })).results[0]).not.toHaveProperty("explain");
  });

  it("S4: a superseded record says by what it was lowered", async () => {
    const bench = await MemoryBench.open();
    const [old = ""] = await bench.captureStored("the heron");
    await bench.captureStored({ surface: "no bird", supersedes: [old] });
    const { results } = await bench.memory.search({ query: "heron", explain: true });
    expect(results[0]?.explain?.steps).toMatchObject({ superseded: 0.5 });
  });
});
