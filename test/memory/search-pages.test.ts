/** What a page must not depend on: when it is asked for, and what came since the first. */
import { describe, expect, it } from "vitest";
import { encodeCursor } from "../../src/memory/cursor.ts";
import type { SearchInput, SearchResult } from "../../src/memory/memory.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { CURSOR_CHARS_MAX } from "../../src/record/limits.ts";
import { MemoryBench, storeIsAway } from "../support/memory-bench.ts";

const ids = ({ results }: SearchResult) => results.map(({ ulid }) => ulid);

describe("pages of a search", () => {
  it("S4: a word that arrives later lets no stop words find anything on the next page", async () => {
    const bench = await MemoryBench.open();
    await bench.capture(
      { surface: "what did we", source: "Mara" },
      { surface: "what was there to do", source: "Mara" },
      "and so, what are all of them",
    );
    const input: SearchInput = { query: "What did Mara quokka?", lifts: { spelling: false } };
    const whole = ids(await bench.memory.search(input));
    expect(whole).toHaveLength(2);
    const first = await bench.memory.search({ ...input, limit: 1 });
    await bench.capture("a quokka");
    const rest = await bench.memory.search({ ...input, cursor: first.next_cursor });
    expect([...ids(first), ...ids(rest)]).toEqual(whole);
  });

  it("S4: a record of two dates of the question is there once", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored(
      { surface: "reeds", occurred_at: "2023-05-07T20:00:00Z" },
      { surface: "nests", occurred_at: "2023-05-08T08:00:00Z" },
    );
    const found = await bench.memory.search({
      query: "7 May 2023 or 8 May 2023",
      lifts: { neighbours: false },
    });
    expect(ids(found).sort()).toEqual([...new Set(ids(found))].sort());
    expect(found.results).toHaveLength(2);
  });

  it("S4: a turn that only its neighbour brings in ranks lower when superseded, and says so", async () => {
    const bench = await MemoryBench.open();
    const session_id = "s";
    const capture = [
      { surface: "Where did we see the heron?", session_id },
      { surface: "By reeds", session_id },
    ];
    const [, stored = ""] = await bench.captureStored(...capture);
    const [, queued = ""] = await bench.capture(
      ...capture.map((each) => ({ ...each, session_id: "t" })),
    );
    const [by] = await bench.capture({ surface: "no bird", supersedes: [stored, queued] });
    const { results } = await bench.memory.search({ query: "Where was the heron?", explain: true });
    for (const ulid of [stored, queued]) {
      const hit = results.find((each) => each.ulid === ulid);
      expect(hit?.superseded_by).toBe(by);
      expect(hit?.explain?.steps).toMatchObject({ superseded: 0.5 });
    }
  });

  it("S4: what a question calls yesterday is the same on each page", async () => {
    let nowMs = Date.parse("2024-12-31T20:00:00Z");
    const clock = { ...systemClock, nowMs: () => nowMs };
    const bench = await MemoryBench.open({ clock });
    await bench.captureStored(
      { surface: "reeds", occurred_at: "2024-12-30T10:00:00Z" },
      { surface: "nests", occurred_at: "2024-12-30T12:00:00Z" },
    );
    const input: SearchInput = { query: "What was said yesterday?" };
    const whole = ids(await bench.memory.search(input));
    expect(whole).toHaveLength(2);
    const first = await bench.memory.search({ ...input, limit: 1 });
    nowMs += 86_400_000 * 2;
    const rest = await bench.memory.search({ ...input, cursor: first.next_cursor });
    expect([...ids(first), ...ids(rest)]).toEqual(whole);
  });

  it("S4: records of a date that arrive later take no place on the next page", async () => {
    const bench = await MemoryBench.open();
    const said = (count: number, time: string) =>
      Array.from({ length: count }, (_, n) => ({
        surface: `nests ${n}`,
        occurred_at: `2023-05-07T${time}:00Z`,
      }));
    await bench.captureStored(...said(3, "10:00"));
    const input: SearchInput = { query: "7 May 2023" };
    const whole = ids(await bench.memory.search(input));
    const first = await bench.memory.search({ ...input, limit: 1 });
    await bench.captureStored(...said(60, "11:00"));
    const rest = await bench.memory.search({ ...input, cursor: first.next_cursor });
    expect([...ids(first), ...ids(rest)]).toEqual(whole);
  });

  it("S4: the cursor of the longest misspelt words fits", async () => {
    const bench = await MemoryBench.open();
    const letters = [..."абвгдежзикл"];
    const word = (n: number, last: string) =>
      `${(letters[n] as string).repeat(20)}${"щюэ".repeat(3)}${last}${"щюэ".repeat(3)}`;
    const numbers = Array.from({ length: 60 }, (_, n) => `w${n}`).join(" ");
    const held = [0, 1, 2, 3].flatMap((n) => ["а", "о", "у"].map((last) => word(n, last)));
    await bench.captureStored(`${numbers} ${held.join(" ")}`, held.join(" "));
    const query = `${[0, 1, 2, 3].map((n) => word(n, "ы")).join(" ")} ${numbers}`;
    const { results, next_cursor: cursor = "" } = await bench.memory.search({
      query,
      limit: 1,
      explain: true,
    });
    expect(results[0]?.explain?.words[0]?.spelled_as).toHaveLength(3);
    const { s, ...position } = JSON.parse(Buffer.from(cursor, "base64url").toString());
    const largest = encodeCursor({
      ...position,
      k: 123.45678901234567,
      s: [99_999_999, 9_999.999, ...s.slice(2).map(() => 99_999_999)],
    });
    expect(s).toHaveLength(66);
    expect(largest.length).toBeLessThanOrEqual(CURSOR_CHARS_MAX);
    expect((await bench.memory.search({ query, limit: 1, cursor })).results).toHaveLength(1);
  });

  it("S5: with the store away it is asked once", async () => {
    const bench = await MemoryBench.open();
    await bench.capture({ surface: "heron", session_id: "s" });
    bench.away = storeIsAway();
    const asked: string[] = [];
    for (const method of ["candidates", "timeline", "neighbours", "spellings"] as const)
      bench.before[method] = () => {
        asked.push(method);
      };
    await bench.memory.search({
      query: "What was the heron called on 7 May 2023, plattypus?",
      context: 2,
    });
    expect(asked).toEqual(["candidates"]);
  });
});
