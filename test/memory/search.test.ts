import { describe, expect, it } from "vitest";
import { encodeCursor } from "../../src/memory/cursor.ts";
import type { SearchInput, SearchResult } from "../../src/memory/memory.ts";
import { CURSOR_CHARS_MAX } from "../../src/record/limits.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";

const ids = ({ results }: SearchResult) => results.map(({ ulid }) => ulid);

/** All pages of a question, with something done between two of them. */
async function allPages(
  { memory }: MemoryBench,
  input: SearchInput,
  between: () => Promise<unknown> = async () => {},
): Promise<string[]> {
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 50; pages++) {
    const answer = await memory.search(cursor === undefined ? input : { ...input, cursor });
    seen.push(...ids(answer));
    cursor = answer.next_cursor;
    if (cursor === undefined) return seen;
    await between();
  }
  throw new Error("the pages do not end");
}

describe("search", () => {
  it("S4: asks by default about the current project and records without one", async () => {
    const bench = await MemoryBench.open({ project: "here" });
    const [here = "", none = "", there = ""] = await bench.capture(
      "heron",
      { surface: "heron", project: "" },
      { surface: "heron", project: "there" },
    );
    const search = async (project?: string) =>
      ids(await bench.memory.search({ query: "heron", project })).sort();
    for (const place of ["pending", "ingested"]) {
      expect(await search(), place).toEqual([here, none]);
      expect(await search("*"), place).toEqual([here, none, there]);
      expect(await search("there"), place).toEqual([there]);
      expect(await search(""), place).toEqual([none]);
      if (place === "pending") for (const ulid of [here, none, there]) await bench.ingest(ulid);
    }
  });

  it("S4: filters pending and ingested records alike", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture(
      { surface: "heron 0", session_id: "s1", role: "user", tier: "semantic" },
      { surface: "heron 1", tags: ["a", "b"], source: "mail" },
      { surface: "heron 2", tags: ["a"], occurred_at: "2020-01-01T00:00:00Z" },
    );
    const cases: [Partial<SearchInput>, number[]][] = [
      [{ session_id: "s1" }, [0]],
      [{ role: "user" }, [0]],
      [{ tier: "semantic" }, [0]],
      [{ tier: "episodic" }, [1, 2]],
      [{ source: "mail" }, [1]],
      [{ tags: ["a"] }, [1, 2]],
      [{ tags: ["b", "a"] }, [1]],
      [{ tags: [] }, [0, 1, 2]],
      [{ since: "2020-01-01", until: "2020-01-01T00:00:00.000Z" }, [2]],
      [{ since: "2020-01-01T00:00:00.001Z" }, [0, 1]],
      [{ until: "2019-12-31T23:59:59.999Z" }, []],
    ];
    for (const place of ["pending", "ingested"]) {
      for (const [filter, wanted] of cases) {
        const found = ids(await bench.memory.search({ query: "heron", ...filter })).sort();
        const expected = wanted.map((index) => ulids[index]);
        expect(found, `${place} ${JSON.stringify(filter)}`).toEqual(expected);
      }
      if (place === "pending") for (const ulid of ulids) await bench.ingest(ulid);
    }
  });

  it("S4: orders pending and ingested records as if all were in the store", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.captureStored(
      "heron",
      "heron crane heron crane",
      "crane stork crane ibis crane egret and other long legged birds of the marsh",
    );
    ulids.push(...(await bench.capture("heron crane", "a stork", "crane crane crane heron")));
    const before = await bench.memory.search({ query: "heron crane stork" });
    expect(before.results.map(({ state }) => state)).toContain("pending");
    for (const ulid of ulids.slice(3)) await bench.ingest(ulid);
    const after = await bench.memory.search({ query: "heron crane stork" });
    const scored = ({ results }: SearchResult) => results.map(({ ulid, score }) => [ulid, score]);
    expect(scored(before)).toEqual(scored(after));
    expect(scored(after)).toHaveLength(6);
  });

  it("S4: pages give each record once and end", async () => {
    const bench = await MemoryBench.open();
    const texts = Array.from({ length: 12 }, (_, n) => `heron ${"crane ".repeat(n % 4)}${n}`);
    const stored = await bench.captureStored(...texts.slice(0, 6));
    const pending = await bench.capture(...texts.slice(6));
    const whole = ids(await bench.memory.search({ query: "heron crane", limit: 100 }));
    expect([...whole].sort()).toEqual([...stored, ...pending].sort());
    for (const limit of [1, 5, 6, 12]) {
      expect(await allPages(bench, { query: "heron crane", limit })).toEqual(whole);
    }
  });

  it("S4: pages stay as they are while records arrive and move into the store", async () => {
    const bench = await MemoryBench.open();
    const texts = Array.from(
      { length: 12 },
      (_, n) => `${n % 2 ? "heron " : ""}${n % 3 ? "crane " : ""}stork ${"reed ".repeat(n)}`,
    );
    const pending = await bench.capture(...texts);
    const input = { query: "heron crane stork", limit: 3 };
    const whole = ids(await bench.memory.search({ ...input, limit: 100 }));
    let arrived = 0;
    const seen = await allPages(bench, input, async () => {
      // Makes "stork" rare and "heron" frequent, and texts long on average.
      await bench.capture(...Array.from({ length: 8 }, () => `heron ${"long ".repeat(50)}`));
      // Halves the score of the best, which was shown already.
      await bench.capture({ surface: "an ibis", supersedes: [whole[0] ?? ""] });
      const next = pending.pop();
      if (next !== undefined) await bench.ingest(next);
      arrived += 9;
    });
    expect(seen).toEqual(whole);
    expect(arrived).toBeGreaterThanOrEqual(27);
    // Negative control: asked anew, the order is another one.
    const anew = ids(await bench.memory.search({ ...input, limit: 100 }));
    expect(anew.filter((ulid) => whole.includes(ulid))).not.toEqual(whole);
  });

  it("S4: a page begins behind the last record even if that one is gone", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("heron heron heron", "heron heron", "heron", "a heron and more birds");
    const whole = ids(await bench.memory.search({ query: "heron" }));
    const { next_cursor: cursor } = await bench.memory.search({ query: "heron", limit: 2 });
    bench.setAside(whole[1] ?? "");
    const rest = await bench.memory.search({ query: "heron", limit: 2, cursor });
    expect(ids(rest)).toEqual(whole.slice(2));
  });

  it("S4: the cursor of the longest question fits", async () => {
    const bench = await MemoryBench.open();
    const words = Array.from({ length: 64 }, (_, n) => `word${n}`).join(" ");
    await bench.capture(words, words);
    const answer = await bench.memory.search({ query: words, limit: 1 });
    const cursor = answer.next_cursor ?? "";
    const { s, ...position } = JSON.parse(Buffer.from(cursor, "base64url").toString());
    expect(s).toHaveLength(66);
    const largest = encodeCursor({
      ...position,
      k: 123.45678901234567,
      s: [99_999_999, 9_999.999, ...Array.from({ length: 64 }, () => 99_999_999)],
    });
    expect(largest.length).toBeLessThanOrEqual(CURSOR_CHARS_MAX);
    expect((await bench.memory.search({ query: words, limit: 1, cursor })).results).toHaveLength(1);
  });

  it("S4: refuses the cursor of another question, and what is none", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("heron one", "heron two", "heron three");
    const { next_cursor: cursor = "" } = await bench.memory.search({ query: "heron", limit: 1 });
    const timeline = await bench.memory.recent({ limit: 1 });
    const position = JSON.parse(Buffer.from(cursor, "base64url").toString());
    const foreign: SearchInput[] = [
      { query: "crane", cursor },
      { query: "heron", cursor, project: "*", tags: ["a"] },
      { query: "heron", cursor: timeline.next_cursor },
      { query: "heron", cursor: "" },
      { query: "heron", cursor: "no cursor" },
      { query: "heron", cursor: encodeCursor({ ...position, s: [] }) },
      { query: "heron", cursor: encodeCursor({ ...position, more: 1 }) },
      { query: "heron", cursor: encodeCursor({ ...position, q: "x".repeat(CURSOR_CHARS_MAX) }) },
    ];
    for (const input of foreign) {
      expect(await failureCode(bench.memory.search(input)), input.cursor).toBe("CURSOR_INVALID");
    }
    expect((await bench.memory.search({ query: "heron", cursor })).results).toHaveLength(2);
  });

  it("S4: bounds limit and query", async () => {
    const bench = await MemoryBench.open();
    await bench.capture(...Array.from({ length: 101 }, (_, n) => `heron ${n}`));
    const count = async (limit?: number) =>
      (await bench.memory.search({ query: "heron", limit })).results.length;
    expect([await count(), await count(1), await count(100), await count(1_000)]).toEqual([
      10, 1, 100, 100,
    ]);
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      expect(await failureCode(count(limit))).toBe("INVALID_ARGUMENT");
    }
    const { memory } = bench;
    expect((await memory.search({ query: "x".repeat(10_240) })).results).toEqual([]);
    expect(await failureCode(memory.search({ query: "x".repeat(10_241) }))).toBe(
      "INVALID_ARGUMENT",
    );
    for (const time of ["yesterday", "March 7", "2026-13-01", "1"]) {
      const asked = memory.search({ query: "heron", since: time });
      expect(await failureCode(asked), time).toBe("INVALID_ARGUMENT");
    }
  });

  it("S4: answers any query string, and one without a word with nothing", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture('"heron" AND (crane*) 東京 🦩 constructor');
    for (const query of ['"heron', "heron AND OR NOT (", "crane*", "東京", "🦩", "constructor"]) {
      expect(ids(await bench.memory.search({ query })), query).toEqual([ulid]);
    }
    for (const query of ["", "   ", "…!?", "__proto__ toString"]) {
      expect((await bench.memory.search({ query })).results, query).toEqual([]);
    }
  });

  it("S4: a record that a pending one supersedes ranks lower and says so, in every place", async () => {
    const bench = await MemoryBench.open();
    const [old = "", other = ""] = await bench.captureStored("heron heron", "heron");
    expect(ids(await bench.memory.search({ query: "heron" }))).toEqual([old, other]);
    const [newer = ""] = await bench.capture({ surface: "a stork", supersedes: [old] });
    for (const place of ["pending", "ingested"]) {
      const { results } = await bench.memory.search({ query: "heron" });
      expect(results, place).toMatchObject([{ ulid: other }, { ulid: old, superseded_by: newer }]);
      expect(results[0], place).not.toHaveProperty("superseded_by");
      const { records } = await bench.memory.recent({});
      expect(records?.find(({ ulid }) => ulid === old)?.superseded_by, place).toBe(newer);
      if (place === "pending") await bench.ingest(newer);
    }
    const [newest = ""] = await bench.capture({ surface: "an ibis", supersedes: [old] });
    const { results } = await bench.memory.search({ query: "heron" });
    expect(results[1]).toMatchObject({ ulid: old, superseded_by: newest });
    const { records } = await bench.memory.recent({});
    expect(records?.find(({ ulid }) => ulid === old)?.superseded_by).toBe(newest);
  });

  it("S4: marks the words in the snippet and gives the facts of the record", async () => {
    const bench = await MemoryBench.open({ project: "birds" });
    const [ulid = ""] = await bench.capture({
      surface: "We saw a Héron.",
      session_id: "s",
      role: "user",
      source: "talk",
      tags: ["water"],
      occurred_at: "2026-03-01",
    });
    const { results } = await bench.memory.search({ query: "heron" });
    expect(results).toEqual([
      {
        ulid,
        at: "2026-03-01",
        project: "birds",
        session_id: "s",
        role: "user",
        tier: "episodic",
        source: "talk",
        tags: ["water"],
        snippet: "We saw a «Héron».",
        total_chars: 15,
        state: "pending",
        score: expect.any(Number),
      },
    ]);
  });
});
