import { describe, expect, it } from "vitest";
import type { CaptureInput, RecentInput } from "../../src/memory/memory.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";

/** `name count` of each entry, newest first. */
async function listed({ memory }: MemoryBench, input: RecentInput): Promise<string[]> {
  const { names = [] } = await memory.recent({ project: "*", ...input });
  return names.map(({ name, count }) => `${name} ${count}`);
}

const at = (year: number, more: Partial<CaptureInput> = {}): CaptureInput => ({
  surface: "x",
  occurred_at: `${year}-06-01T00:00:00.000Z`,
  ...more,
});

describe("names", () => {
  it("T5: lists projects, sessions and tags with counts and last times, newest first", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored(
      at(2001, { project: "p", session_id: "s", tags: ["a", "b"] }),
      at(2002, { project: "q", session_id: "s", tags: ["a"] }),
    );
    await bench.capture(
      at(2003, { project: "p", tags: ["a", "a"] }),
      at(2000, { session_id: "t", tags: ["c"] }),
    );
    expect(await listed(bench, { list: "projects" })).toEqual(["p 2", "q 1", " 1"]);
    expect(await listed(bench, { list: "sessions" })).toEqual(["s 2", "t 1"]);
    expect(await listed(bench, { list: "tags" })).toEqual(["a 3", "b 1", "c 1"]);
    const { names } = await bench.memory.recent({ list: "projects", project: "p" });
    expect(names).toEqual([{ name: "p", count: 2, last_at: "2003-06-01T00:00:00.000Z" }]);
    expect(await listed(bench, { list: "projects", session_id: "s" })).toEqual(["q 1", "p 1"]);
  });

  it("S5: counts a record once that moves into the store before or after the count", async () => {
    for (const moment of ["lookup", "facets"] as const) {
      const bench = await MemoryBench.open();
      const [first = ""] = await bench.capture({ surface: "x", project: "p" });
      await bench.capture({ surface: "y", project: "p" });
      bench.before[moment] = () => bench.ingest(first);
      expect(await listed(bench, { list: "projects" }), moment).toEqual(["p 2"]);
    }
  });

  it("S5: counts a record once that moves between the count and the second look", async () => {
    const bench = await MemoryBench.open();
    const [first = ""] = await bench.capture({ surface: "x", project: "p" });
    // Between the first count and the look behind it.
    bench.before.facets = async () => {
      bench.before.lookup = () => bench.ingest(first);
    };
    expect(await listed(bench, { list: "projects" })).toEqual(["p 1"]);
  });

  it("S5: ends although records keep moving, and never leaves a new name out", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture(
      ...Array.from({ length: 8 }, (_, n) => ({ surface: "x", session_id: `s${n}` })),
    );
    const moveOne = async () => {
      await bench.ingest(ulids.pop() ?? "");
      bench.before.lookup = moveOne;
    };
    bench.before.facets = moveOne;
    const { names = [] } = await bench.memory.recent({ list: "sessions" });
    expect(names.map(({ name }) => name).sort()).toEqual(
      Array.from({ length: 8 }, (_, n) => `s${n}`),
    );
  });

  it("T5: a pending record adds to a name far down the list", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored(
      ...Array.from({ length: 30 }, (_, n) => at(2000 + n, { project: `p${n}` })),
    );
    await bench.capture(at(2050, { project: "p0" }));
    expect(await listed(bench, { list: "projects", limit: 2 })).toEqual(["p0 2", "p29 1"]);
  });

  it("T5: pages through all names, each once, ties and long names included", async () => {
    const bench = await MemoryBench.open();
    const sessions = Array.from({ length: 11 }, (_, n) => `${"long ".repeat(200)}${n}`);
    const year = (n: number) => 2000 + Math.floor(n / 3);
    await bench.captureStored(...sessions.slice(0, 6).map((id, n) => at(year(n), named(id))));
    await bench.capture(...sessions.slice(6).map((id, n) => at(year(n + 6), named(id))));
    const whole = await listed(bench, { list: "sessions", limit: 100 });
    expect(whole).toHaveLength(11);
    for (const limit of [1, 2, 5]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await bench.memory.recent({ list: "sessions", limit, cursor });
        seen.push(...(page.names ?? []).map(({ name, count }) => `${name} ${count}`));
        cursor = page.next_cursor;
      } while (cursor !== undefined && seen.length < 50);
      expect(seen).toEqual(whole);
    }
  });

  it("T5: goes on behind a name that has moved to the front meanwhile", async () => {
    const bench = await MemoryBench.open();
    await bench.capture(at(2003, named("c")), at(2002, named("b")), at(2001, named("a")));
    const first = await bench.memory.recent({ list: "sessions", limit: 2 });
    await bench.capture(at(2010, named("b")));
    const { next_cursor: cursor } = first;
    expect(await listed(bench, { list: "sessions", limit: 2, project: undefined, cursor })).toEqual(
      ["a 1"],
    );
    await bench.capture(at(2011, named("a")));
    expect(await listed(bench, { list: "sessions", project: undefined, cursor })).toEqual([]);
  });

  it("T5: orders years of more than four digits, too", async () => {
    const bench = await MemoryBench.open();
    await bench.capture(
      { surface: "x", session_id: "far", occurred_at: "+012026-01-01T00:00:00Z" },
      at(2026, named("near")),
    );
    expect(await listed(bench, { list: "sessions" })).toEqual(["far 1", "near 1"]);
  });

  it("T5: refuses the cursor of another list", async () => {
    const bench = await MemoryBench.open();
    await bench.capture(at(2001, { session_id: "s", tags: ["a"] }), at(2002, { session_id: "t" }));
    const { next_cursor: cursor } = await bench.memory.recent({ list: "sessions", limit: 1 });
    expect(cursor).toBeDefined();
    for (const list of ["projects", "tags", "records"] as const) {
      const asked = bench.memory.recent({ list, cursor });
      expect(await failureCode(asked), list).toBe("CURSOR_INVALID");
    }
  });
});

function named(session_id: string): Partial<CaptureInput> {
  return { session_id };
}
