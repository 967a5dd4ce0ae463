/** What is found by its date or its neighbour obeys the filters and the pages, too. */
import { describe, expect, it } from "vitest";
import type { SearchResult } from "../../src/memory/memory.ts";
import { MemoryBench } from "../support/memory-bench.ts";

const ids = ({ results }: SearchResult) => results.map(({ ulid }) => ulid);
const query = "Where did we see the heron?";
const session_id = "s";

describe("the scope of a search", () => {
  it("S4: a turn beside a hit is found only if it passes the filter", async () => {
    const bench = await MemoryBench.open();
    const talk = [
      { surface: "Where is the heron?", session_id, role: "user" as const },
      { surface: "By reeds", session_id, role: "assistant" as const },
    ];
    const [asked] = await bench.captureStored(...talk);
    const [again] = await bench.capture(...talk.map((each) => ({ ...each, session_id: "t" })));
    expect(ids(await bench.memory.search({ query }))).toHaveLength(4);
    const found = ids(await bench.memory.search({ query, role: "user" }));
    expect(found.sort()).toEqual([asked, again].sort());
  });

  it("S4: what was said on a date is found only if it passes the filter", async () => {
    const bench = await MemoryBench.open({ project: "here" });
    const said = (project: string) => ({
      ...{ surface: "reeds", project, occurred_at: "2023-05-07T10:00:00Z" },
    });
    const [here] = await bench.captureStored(said("here"), said("there"));
    expect(ids(await bench.memory.search({ query: "7 May 2023" }))).toEqual([here]);
  });

  it("S4: sessions of one name in two projects lend each other nothing", async () => {
    const bench = await MemoryBench.open();
    const [here] = await bench.capture({ surface: "the heron", session_id, project: "here" });
    await bench.capture({ surface: "By reeds", session_id, project: "there" });
    expect(ids(await bench.memory.search({ query }))).toEqual([here]);
  });

  it("S4: a turn that came after the first page is not on the next", async () => {
    const bench = await MemoryBench.open();
    const [hit, other] = await bench.capture({ surface: "the heron heron", session_id }, "heron");
    const first = await bench.memory.search({ query, limit: 1 });
    await bench.capture({ surface: "By reeds", session_id });
    const rest = await bench.memory.search({ query, cursor: first.next_cursor });
    expect([...ids(first), ...ids(rest)]).toEqual([hit, other]);
  });
});
