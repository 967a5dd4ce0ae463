/** What a page must not depend on: when it is asked for, and what came since the first. */
import { describe, expect, it } from "vitest";
import type { SearchInput, SearchResult } from "../../src/memory/memory.ts";
import { MemoryBench } from "../support/memory-bench.ts";

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
});
