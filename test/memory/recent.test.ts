import { describe, expect, it } from "vitest";
import type { RecentInput, RecentResult } from "../../src/memory/memory.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";

const ids = ({ records = [] }: RecentResult) => records.map(({ ulid }) => ulid);

async function allPages(
  { memory }: MemoryBench,
  input: RecentInput,
  between: () => Promise<unknown> = async () => {},
): Promise<RecentResult[]> {
  const pages: RecentResult[] = [];
  let cursor: string | undefined;
  for (let count = 0; count < 50; count++) {
    const page = await memory.recent(cursor === undefined ? input : { ...input, cursor });
    pages.push(page);
    cursor = page.next_cursor;
    if (cursor === undefined) return pages;
    await between();
  }
  throw new Error("the pages do not end");
}

describe("timeline", () => {
  it("T5: orders by occurred_at, else appended_at, then id, in both directions", async () => {
    const bench = await MemoryBench.open();
    const [early = "", twin = ""] = await bench.captureStored(
      { surface: "early", occurred_at: "2020-01-01T00:00:00Z" },
      { surface: "its twin", occurred_at: "2020-01-01T01:00:00+01:00" },
    );
    const [now = ""] = await bench.captureStored("now");
    const [ancient = "", late = ""] = await bench.capture(
      { surface: "ancient", occurred_at: "1999-12-31" },
      { surface: "late", occurred_at: "2999-01-01" },
    );
    const oldest = [ancient, early, twin, now, late];
    expect(ids(await bench.memory.recent({ order: "oldest" }))).toEqual(oldest);
    expect(ids(await bench.memory.recent({}))).toEqual([...oldest].reverse());
    expect(ids(await bench.memory.recent({ order: "newest" }))).toEqual([...oldest].reverse());
  });

  it("T5: reads a session from its beginning, page by page", async () => {
    const bench = await MemoryBench.open();
    const turns = Array.from({ length: 9 }, (_, n) => ({ surface: `turn ${n}`, session_id: "s" }));
    await bench.captureStored(...turns.slice(0, 4), { surface: "other", session_id: "t" });
    await bench.capture(...turns.slice(4), { surface: "none" });
    for (const limit of [1, 2, 4, 9, 10]) {
      const pages = await allPages(bench, { session_id: "s", order: "oldest", limit });
      const snippets = pages.flatMap(({ records = [] }) => records.map(({ snippet }) => snippet));
      expect(snippets, `limit ${limit}`).toEqual(turns.map(({ surface }) => surface));
      expect(pages).toHaveLength(Math.ceil(9 / limit));
    }
  });

  it("T5: pages stay as they are while records arrive and move", async () => {
    const bench = await MemoryBench.open();
    const stored = await bench.captureStored("0", "1", "2");
    const pending = await bench.capture("3", "4", "5", "6");
    const whole = [...stored, ...pending].reverse();
    const pages = await allPages(bench, { limit: 2 }, async () => {
      await bench.capture("new");
      const next = pending.shift();
      if (next !== undefined) await bench.ingest(next);
    });
    expect(pages.flatMap(ids)).toEqual(whole);
  });

  it("T5: shows the beginning of a text and how long it is", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("heron ".repeat(1_000));
    const { records } = await bench.memory.recent({});
    expect(records).toMatchObject([{ total_chars: 6_000, tier: "episodic", state: "pending" }]);
    expect(records?.[0]?.snippet).toMatch(/^heron heron .*…$/);
    expect(records?.[0]?.snippet.length).toBeLessThanOrEqual(320);
  });

  it("T5: keeps to the project, like search", async () => {
    const bench = await MemoryBench.open({ project: "here" });
    const [here = "", none = "", there = ""] = await bench.capture(
      "x",
      { surface: "x", project: "" },
      { surface: "x", project: "there" },
    );
    expect(ids(await bench.memory.recent({}))).toEqual([none, here]);
    expect(ids(await bench.memory.recent({ project: "*" }))).toEqual([there, none, here]);
    expect(ids(await bench.memory.recent({ project: "there" }))).toEqual([there]);
  });

  it("T5: bounds a page, and refuses limits and cursors that are none", async () => {
    const bench = await MemoryBench.open();
    await bench.capture(...Array.from({ length: 101 }, (_, n) => `${n}`));
    const count = async (limit?: number) => ids(await bench.memory.recent({ limit })).length;
    expect([await count(), await count(3), await count(1_000)]).toEqual([20, 3, 100]);
    expect(await failureCode(count(0))).toBe("INVALID_ARGUMENT");
    const { next_cursor: cursor } = await bench.memory.recent({ limit: 1 });
    const foreign: RecentInput[] = [
      { cursor, order: "oldest" },
      { cursor, session_id: "s" },
      { cursor, list: "tags" },
      { cursor: "x" },
    ];
    for (const input of foreign) {
      expect(await failureCode(bench.memory.recent(input))).toBe("CURSOR_INVALID");
    }
  });
});
