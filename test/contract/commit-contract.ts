/** The contract's sentences on commitBatch. */
import { describe, expect, it } from "vitest";
import { textSha256 } from "../../src/record/content-hash.ts";
import {
  HOSTILE_STRINGS,
  idOf,
  itemOf,
  type OpenContractStore,
  type StoreBench,
  useStore,
} from "./store-bench.ts";

export function commitContract(open: OpenContractStore): void {
  const bench = useStore(open);
  describe("round trip", () => roundTrip(bench));
  describe("the same id again", () => sameId(bench));
  describe("the same idempotency key again", () => sameKey(bench));
  describe("between connections", () => connections(bench));
}

function roundTrip(bench: StoreBench): void {
  it.each(Object.entries(HOSTILE_STRINGS))("Q3: gives back %s, in every field", async (_, text) => {
    const item = itemOf(1, {
      surface: text,
      cue: text,
      session_id: text,
      role: "tool",
      project: text,
      source: text,
      occurred_at: "2024-02-29T12:00:00+01:00",
      tags: [text, "a", text],
      metadata: { [text]: [text, 1.5, null, { deep: true }] },
      idempotency_key: text,
      priority: "low",
      supersedes: [idOf(7)],
    });
    await bench.store.commitBatch([item]);
    const stored = await bench.store.get(item.ulid);
    expect(stored?.record).toEqual(item.record);
    expect(stored?.record.surface).toBe(text);
    expect(stored?.sha256).toBe(textSha256(text));
    expect(stored?.appendedAt).toBe(item.appendedAt);
    expect(JSON.stringify(stored?.record)).toBe(item.recordJson);
  });

  it.each(Object.entries(HOSTILE_STRINGS))("Q3: filters by %s, exactly", async (_, text) => {
    const others = [`${text}x`, "a\ufffdb!", "\u00e9 \u1e9b"];
    const items = [text, ...others].map((value, n) =>
      itemOf(n, { project: value, session_id: value, source: value, tags: [value] }),
    );
    await bench.store.commitBatch(items);
    for (const filter of [
      { projects: [text] },
      { sessionId: text },
      { source: text },
      { tags: [text] },
    ]) {
      const found = await bench.store.timeline({ filter, limit: 10 });
      expect(found.map(({ ulid }) => ulid)).toEqual([idOf(0)]);
    }
    const names = (await bench.store.facets("tags", {}, 10)).map(({ name }) => name);
    expect(names).toContain(text);
  });

  it("Q3: NFC and NFD of one word are two different filters", async () => {
    await bench.store.commitBatch([
      itemOf(1, { project: "\u00e9" }),
      itemOf(2, { project: "e\u0301" }),
    ]);
    const found = await bench.store.timeline({ filter: { projects: ["e\u0301"] }, limit: 10 });
    expect(found.map(({ ulid }) => ulid)).toEqual([idOf(2)]);
  });

  it("Q3: gives back a line of 1 MiB", async () => {
    for (const [n, unit] of ["x", "\0", "漢", "a b_c "].entries()) {
      const item = itemOf(n, { surface: unit.repeat(1_048_576 / Buffer.byteLength(unit)) });
      await bench.store.commitBatch([item]);
      const stored = await bench.store.get(item.ulid);
      expect(stored?.record.surface === item.record.surface).toBe(true);
    }
  });

  it("S1: an absent field stays absent", async () => {
    await bench.store.commitBatch([itemOf(1)]);
    const stored = await bench.store.get(idOf(1));
    expect(Object.keys(stored?.record ?? {})).toEqual(["surface"]);
    expect(stored).not.toHaveProperty("supersededBy");
  });

  it("S1: a batch of nothing changes nothing", async () => {
    expect(await bench.store.commitBatch([])).toEqual({
      inserted: [],
      duplicates: [],
      conflicts: [],
      forgotten: [],
    });
    expect((await bench.store.stats()).records).toBe(0);
  });
}

function sameId(bench: StoreBench): void {
  it("S3: with the same hash is a duplicate of itself and changes nothing", async () => {
    await bench.store.commitBatch([itemOf(1, { surface: "one", tags: ["first"] })]);
    const again = itemOf(1, { surface: "one", tags: ["second"] });
    expect(await bench.store.commitBatch([again])).toEqual({
      inserted: [],
      duplicates: [{ ulid: idOf(1), of: idOf(1) }],
      conflicts: [],
      forgotten: [],
    });
    expect((await bench.store.get(idOf(1)))?.record.tags).toEqual(["first"]);
    expect(await bench.store.stats()).toMatchObject({ records: 1, aliases: 0 });
  });

  it("S3: with another hash is a conflict and changes nothing", async () => {
    await bench.store.commitBatch([itemOf(1, { surface: "one" })]);
    expect(await bench.store.commitBatch([itemOf(1, { surface: "two" })])).toEqual({
      inserted: [],
      duplicates: [],
      conflicts: [{ ulid: idOf(1), code: "ULID_CONFLICT", existing: idOf(1) }],
      forgotten: [],
    });
    expect((await bench.store.get(idOf(1)))?.record.surface).toBe("one");
  });

  it("S3: the rules hold between items of one batch, in their order", async () => {
    const result = await bench.store.commitBatch([
      itemOf(1, { surface: "one" }),
      itemOf(2, { surface: "two", idempotency_key: "k" }),
      itemOf(1, { surface: "one" }),
      itemOf(1, { surface: "other" }),
      itemOf(3, { surface: "two", idempotency_key: "k" }),
      itemOf(4, { surface: "not two", idempotency_key: "k" }),
      itemOf(3, { surface: "two" }),
      itemOf(3, { surface: "three" }),
    ]);
    expect(result).toEqual({
      inserted: [idOf(1), idOf(2)],
      duplicates: [
        { ulid: idOf(1), of: idOf(1) },
        { ulid: idOf(3), of: idOf(2) },
        { ulid: idOf(3), of: idOf(2) },
      ],
      conflicts: [
        { ulid: idOf(1), code: "ULID_CONFLICT", existing: idOf(1) },
        { ulid: idOf(4), code: "IDEMPOTENCY_CONFLICT", existing: idOf(2) },
        { ulid: idOf(3), code: "ULID_CONFLICT", existing: idOf(2) },
      ],
      forgotten: [],
    });
    expect(await bench.store.stats()).toMatchObject({ records: 2, aliases: 1 });
  });
}

function sameKey(bench: StoreBench): void {
  const keyed = (n: number, surface: string, project?: string) =>
    itemOf(n, { surface, idempotency_key: "key", ...(project === undefined ? {} : { project }) });

  it("S3: with the same hash is kept as an alias that get and lookup resolve", async () => {
    await bench.store.commitBatch([keyed(1, "one")]);
    const result = await bench.store.commitBatch([keyed(2, "one")]);
    expect(result.duplicates).toEqual([{ ulid: idOf(2), of: idOf(1) }]);
    expect((await bench.store.get(idOf(2)))?.ulid).toBe(idOf(1));
    const found = await bench.store.lookup([idOf(1), idOf(2), idOf(3)]);
    expect([...found].sort()).toEqual([
      [
        idOf(1),
        { state: "ingested", sha256: textSha256("one"), appendedAt: keyed(1, "").appendedAt },
      ],
      [
        idOf(2),
        {
          state: "duplicate",
          of: idOf(1),
          sha256: textSha256("one"),
          appendedAt: keyed(2, "").appendedAt,
        },
      ],
    ]);
    expect(await bench.store.stats()).toMatchObject({ records: 1, aliases: 1 });
  });

  it("S3: an alias committed again is a duplicate, and with another hash a conflict", async () => {
    await bench.store.commitBatch([keyed(1, "one"), keyed(2, "one")]);
    expect(await bench.store.commitBatch([keyed(2, "one"), itemOf(2, { surface: "x" })])).toEqual({
      inserted: [],
      duplicates: [{ ulid: idOf(2), of: idOf(1) }],
      conflicts: [{ ulid: idOf(2), code: "ULID_CONFLICT", existing: idOf(1) }],
      forgotten: [],
    });
    expect((await bench.store.stats()).aliases).toBe(1);
  });

  it("S3: with another hash is a conflict and leaves no trace of its id", async () => {
    await bench.store.commitBatch([keyed(1, "one")]);
    const result = await bench.store.commitBatch([keyed(2, "two")]);
    expect(result.conflicts).toEqual([
      { ulid: idOf(2), code: "IDEMPOTENCY_CONFLICT", existing: idOf(1) },
    ]);
    expect(await bench.store.get(idOf(2))).toBeUndefined();
    expect((await bench.store.lookup([idOf(2)])).size).toBe(0);
  });

  it("S3: keys of different projects, and of none, have nothing to do with each other", async () => {
    const items = [keyed(1, "one"), keyed(2, "two", "p"), keyed(3, "three", "q")];
    expect((await bench.store.commitBatch(items)).inserted).toHaveLength(3);
    const same = await bench.store.commitBatch([keyed(4, "one", "")]);
    expect(same.duplicates).toEqual([{ ulid: idOf(4), of: idOf(1) }]);
  });

  it("S3: an empty key is a key", async () => {
    const empty = (n: number) => itemOf(n, { surface: "same", idempotency_key: "" });
    await bench.store.commitBatch([empty(1)]);
    expect((await bench.store.commitBatch([empty(2)])).duplicates).toHaveLength(1);
  });
}

function connections(bench: StoreBench): void {
  it("S2: what one connection commits the other sees, both ways, at once", async () => {
    const other = await bench.openAnother();
    await bench.store.commitBatch([itemOf(1)]);
    expect((await other.get(idOf(1)))?.record.surface).toBe("text 1");
    await other.commitBatch([itemOf(2)]);
    expect((await bench.store.get(idOf(2)))?.record.surface).toBe("text 2");
    const query = { terms: ["text"], filter: {}, countMax: 10 };
    expect((await bench.store.candidates(query)).documentFrequency).toEqual({ text: 2 });
    await other.commitBatch([itemOf(3)]);
    expect((await bench.store.candidates(query)).documentFrequency).toEqual({ text: 3 });
  });

  it("S3: the same items committed over two connections at once end as one row each", async () => {
    const other = await bench.openAnother();
    const items = Array.from({ length: 50 }, (_, n) =>
      itemOf(n, { idempotency_key: `k${n % 25}` }),
    );
    const same = items.map((item) => ({ ...item, sha256: textSha256("same") }));
    const results = await Promise.all([bench.store.commitBatch(same), other.commitBatch(same)]);
    expect(results.flatMap(({ inserted }) => inserted)).toHaveLength(25);
    expect(await bench.store.stats()).toMatchObject({ records: 25, aliases: 25 });
  });

  it("I1: what was committed is there when the store is opened again", async () => {
    await bench.store.commitBatch([itemOf(1), itemOf(2)]);
    await bench.store.close();
    const again = await bench.openAnother();
    expect((await again.stats()).records).toBe(2);
    expect((await again.get(idOf(2)))?.ulid).toBe(idOf(2));
  });

  it("S2: closing twice is closing once", async () => {
    await bench.store.close();
    await expect(bench.store.close()).resolves.toBeUndefined();
    await expect(bench.store.stats()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
}
