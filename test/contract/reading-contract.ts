/** The contract's sentences on get, lookup, timeline, facets, stats and check. */
import { describe, expect, it } from "vitest";
import type { RecordFilter, StoredRecord } from "../../src/store/memory-store.ts";
import {
  FIRST_AT_MS,
  idOf,
  itemOf,
  type OpenContractStore,
  type StoreBench,
  useStore,
} from "./store-bench.ts";

export function readingContract(open: OpenContractStore): void {
  const bench = useStore(open);
  describe("get and lookup", () => byId(bench));
  describe("filters", () => filters(bench));
  describe("timeline", () => timeline(bench));
  describe("facets", () => facets(bench));
}

function ulids(records: readonly StoredRecord[]): string[] {
  return records.map(({ ulid }) => ulid);
}

function byId(bench: StoreBench): void {
  it("S1: an unknown id is undefined, and absent from a lookup", async () => {
    expect(await bench.store.get(idOf(1))).toBeUndefined();
    expect((await bench.store.lookup([])).size).toBe(0);
    expect((await bench.store.lookup(["'; --", idOf(1)])).size).toBe(0);
  });

  it("S1: looks up more ids at once than a statement has parameters", async () => {
    await bench.store.commitBatch([itemOf(39_999)]);
    const asked = Array.from({ length: 40_000 }, (_, n) => idOf(n));
    expect([...(await bench.store.lookup(asked)).keys()]).toEqual([idOf(39_999)]);
  });

  it("S1: a turn is the place in its session and project, from 1, in order of arrival", async () => {
    const turn = (n: number, session_id?: string, project?: string) =>
      itemOf(n, {
        ...(session_id === undefined ? {} : { session_id }),
        ...(project === undefined ? {} : { project }),
      });
    await bench.store.commitBatch([turn(1, "s"), turn(2, "s"), turn(3), turn(4, "t")]);
    await bench.store.commitBatch([turn(5, "s"), turn(6, "s", "p"), turn(7, "s")]);
    const turns = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7].map(async (n) => (await bench.store.get(idOf(n)))?.turn),
    );
    expect(turns).toEqual([1, 2, 0, 1, 3, 1, 4]);
  });

  it("S4: a superseded record names the newest that supersedes it", async () => {
    await bench.store.commitBatch([itemOf(1), itemOf(5, { supersedes: [idOf(1), idOf(9)] })]);
    await bench.store.commitBatch([itemOf(3, { supersedes: [idOf(1), idOf(3)] })]);
    await bench.store.commitBatch([itemOf(9)]);
    expect((await bench.store.get(idOf(1)))?.supersededBy).toBe(idOf(5));
    expect((await bench.store.get(idOf(9)))?.supersededBy).toBe(idOf(5));
    expect(await bench.store.get(idOf(3))).not.toHaveProperty("supersededBy");
  });

  it("S4: superseding an alias supersedes its record, whichever came first", async () => {
    const keyed = (n: number, key: string) => itemOf(n, { surface: key, idempotency_key: key });
    await bench.store.commitBatch([keyed(1, "a"), keyed(2, "a"), keyed(3, "b")]);
    await bench.store.commitBatch([itemOf(10, { supersedes: [idOf(2), idOf(4)] })]);
    await bench.store.commitBatch([keyed(4, "b")]);
    expect((await bench.store.get(idOf(1)))?.supersededBy).toBe(idOf(10));
    expect((await bench.store.get(idOf(3)))?.supersededBy).toBe(idOf(10));
  });

  it("S1: stats count records and aliases and name the engine", async () => {
    await bench.store.commitBatch([itemOf(1), itemOf(2)]);
    const stats = await bench.store.stats();
    expect(stats).toMatchObject({ records: 2, aliases: 0 });
    expect(stats.bytes).toBeGreaterThan(0);
    expect(stats.schemaVersion).toBeGreaterThan(0);
    expect(stats.engineVersion).toMatch(/^\d+\.\d+/);
  });

  it("S1: a sound store passes its own checks", async () => {
    await bench.store.commitBatch([itemOf(1), itemOf(2, { tags: ["x"] })]);
    const checks = await bench.store.check();
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.length).toBeGreaterThan(1);
  });
}

function filters(bench: StoreBench): void {
  const items = [
    itemOf(0, { surface: "word" }),
    itemOf(1, { surface: "word", project: "p", session_id: "s", role: "user", tags: ["x", "y"] }),
    itemOf(2, { surface: "word", project: "q", session_id: "s", role: "assistant", tags: ["x"] }),
    itemOf(3, { surface: "word", project: "p", tier: "semantic", source: "import", tags: ["y"] }),
    itemOf(4, { surface: "word", project: "", occurred_at: "2020-01-01T00:00:00Z" }),
  ];
  const at = (n: number) => FIRST_AT_MS + n * 1_000;
  const cases: [string, RecordFilter, number[]][] = [
    ["nothing", {}, [0, 1, 2, 3, 4]],
    ["a project", { projects: ["p"] }, [1, 3]],
    ["records without a project", { projects: [""] }, [0, 4]],
    ["several projects, one named twice", { projects: ["p", "", "p"] }, [0, 1, 3, 4]],
    ["no project at all", { projects: [] }, []],
    ["a session across projects", { sessionId: "s" }, [1, 2]],
    ["a role", { role: "assistant" }, [2]],
    ["the default tier", { tier: "episodic" }, [0, 1, 2, 4]],
    ["another tier", { tier: "semantic" }, [3]],
    ["a source", { source: "import" }, [3]],
    ["one tag", { tags: ["x"] }, [1, 2]],
    ["all of several tags", { tags: ["x", "y", "x"] }, [1]],
    ["no tags asked for", { tags: [] }, [0, 1, 2, 3, 4]],
    ["times, both ends included", { sinceMs: at(1), untilMs: at(2) }, [1, 2]],
    ["the time it occurred", { untilMs: Date.UTC(2020, 0, 1) }, [4]],
    ["several at once", { projects: ["p"], tags: ["y"], role: "user", sinceMs: at(0) }, [1]],
  ];

  it.each(cases)("S4: by %s", async (_, filter, expected) => {
    await bench.store.commitBatch(items);
    const wanted = expected.map(idOf);
    const listed = await bench.store.timeline({ filter, limit: 10 });
    expect(ulids(listed).sort()).toEqual(wanted);
    const found = await bench.store.candidates({ terms: ["word"], filter, countMax: 10 });
    expect(ulids(found.candidates).sort()).toEqual(wanted);
    const tagged = await bench.store.facets("projects", filter, 10);
    expect(tagged.reduce((sum, { count }) => sum + count, 0)).toBe(wanted.length);
  });
}

function timeline(bench: StoreBench): void {
  it("S4: lists by occurred_at, else appended_at, then id, newest first or oldest first", async () => {
    const early = "2020-05-05T05:05:05Z";
    await bench.store.commitBatch([
      itemOf(1),
      itemOf(2, { occurred_at: early }),
      itemOf(3, { occurred_at: early, project: "p" }),
      itemOf(4),
    ]);
    const newest = [4, 1, 3, 2].map(idOf);
    for (const filter of [{}, { projects: ["", "p"] }]) {
      expect(ulids(await bench.store.timeline({ filter, limit: 9 }))).toEqual(newest);
      const oldest = await bench.store.timeline({ filter, limit: 9, order: "oldest" });
      expect(ulids(oldest)).toEqual(newest.toReversed());
    }
  });

  it.each(["newest", "oldest"] as const)(
    "S4: pages through equal times, %s first",
    async (order) => {
      const items = Array.from({ length: 23 }, (_, n) =>
        itemOf(n, {
          occurred_at: new Date(FIRST_AT_MS + (n % 4)).toISOString(),
          project: `p${n % 3}`,
        }),
      );
      await bench.store.commitBatch(items);
      const filter = { projects: ["p0", "p1", "p2"] };
      const whole = ulids(await bench.store.timeline({ filter, limit: 100, order }));
      const paged: string[] = [];
      let after: { atMs: number; ulid: string } | undefined;
      for (let page = 0; page < 10; page++) {
        const query = { filter, limit: 5, order, ...(after === undefined ? {} : { after }) };
        const records = await bench.store.timeline(query);
        paged.push(...ulids(records));
        const last = records.at(-1);
        if (last === undefined) break;
        after = { atMs: Date.parse(last.record.occurred_at as string), ulid: last.ulid };
      }
      expect(whole).toHaveLength(23);
      expect(paged).toEqual(whole);
    },
  );

  it("S4: a limit of none lists none", async () => {
    await bench.store.commitBatch([itemOf(1)]);
    expect(await bench.store.timeline({ filter: {}, limit: 0 })).toEqual([]);
  });
}

function facets(bench: StoreBench): void {
  it("S4: lists projects, sessions and tags with counts, newest first, up to a limit", async () => {
    await bench.store.commitBatch([
      itemOf(1, { project: "p", session_id: "s", tags: ["x", "y", "x"] }),
      itemOf(2, { project: "p", session_id: "t", tags: ["x"] }),
      itemOf(3, { tags: ["z"] }),
    ]);
    const lastAt = (n: number) => itemOf(n).appendedAt;
    expect(await bench.store.facets("projects", {}, 10)).toEqual([
      { name: "", count: 1, lastAt: lastAt(3) },
      { name: "p", count: 2, lastAt: lastAt(2) },
    ]);
    expect(await bench.store.facets("sessions", {}, 10)).toEqual([
      { name: "t", count: 1, lastAt: lastAt(2) },
      { name: "s", count: 1, lastAt: lastAt(1) },
    ]);
    expect(await bench.store.facets("tags", { projects: ["p"] }, 10)).toEqual([
      { name: "x", count: 2, lastAt: lastAt(2) },
      { name: "y", count: 1, lastAt: lastAt(1) },
    ]);
    expect(await bench.store.facets("tags", {}, 1)).toEqual([
      { name: "z", count: 1, lastAt: lastAt(3) },
    ]);
  });
}
