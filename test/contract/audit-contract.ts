/** The contract's sentences on what verify asks: auditRows, auditCounts and auditIndex. */
import { expect, it } from "vitest";
import type { AuditedEntry, MemoryStore } from "../../src/store/memory-store.ts";
import { HOSTILE_STRINGS, idOf, itemOf, type OpenContractStore, useStore } from "./store-bench.ts";

const PAGES_MAX = 1_000;

/** All entries, and how many pages they came in. */
export async function allAudited(
  store: Pick<MemoryStore, "auditRows">,
  limit: number,
  hashes: boolean,
): Promise<{ entries: AuditedEntry[]; pages: number }> {
  const entries: AuditedEntry[] = [];
  let after: string | undefined;
  for (let pages = 1; pages <= PAGES_MAX; pages++) {
    const page = await store.auditRows({
      limit,
      hashes,
      ...(after === undefined ? {} : { after }),
    });
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    entries.push(...page.entries);
    after = page.next;
    if (after === undefined) return { entries, pages };
  }
  throw new Error("the pages never end");
}

export function auditContract(open: OpenContractStore): void {
  const bench = useStore(open);

  it("V1: an empty store has no rows to look at", async () => {
    for (const hashes of [true, false]) {
      expect((await allAudited(bench.store, 10, hashes)).entries).toEqual([]);
    }
    expect(await bench.store.auditCounts()).toEqual({
      records: 0,
      aliases: 0,
      indexed: 0,
      strayTags: 0,
      totalRecords: 0,
      totalAliases: 0,
    });
    expect(await bench.store.auditIndex({ of: 10, first: 0, count: 10 })).toEqual({
      sampled: 0,
      faults: [],
    });
  });

  it.each([true, false])(
    "V1: every record and alias comes once, whatever the page (hashes: %s)",
    async (hashes) => {
      const keyed = (n: number) => itemOf(n, { surface: "same", idempotency_key: "k" });
      // Not in the order of ids: an older one may arrive late.
      await bench.store.commitBatch([9, 4, 5, 1, 8].map((n) => itemOf(n)));
      await bench.store.commitBatch([keyed(2), keyed(7), keyed(3)]);
      const records = [1, 2, 4, 5, 8, 9].map(idOf);
      for (const limit of [1, 2, 3, 100]) {
        const { entries } = await allAudited(bench.store, limit, hashes);
        const ulids = (kind: string) =>
          entries.filter((entry) => entry.kind === kind).map(({ ulid }) => ulid);
        expect(ulids("record").sort()).toEqual(records);
        expect(ulids("alias").sort()).toEqual([3, 7].map(idOf));
        expect(entries.filter(({ fault }) => fault !== undefined)).toEqual([]);
      }
    },
  );

  it("V1: a sound row is sound, whatever its strings", async () => {
    const texts = Object.values(HOSTILE_STRINGS);
    const items = texts.map((text, n) =>
      itemOf(n, {
        surface: text,
        project: text,
        session_id: text,
        source: text,
        idempotency_key: text,
        tags: [text, text, "plain"],
        cue: text,
        role: "tool",
        tier: "semantic",
        occurred_at: "2020-05-05T05:05:05Z",
      }),
    );
    await bench.store.commitBatch(items);
    await bench.store.commitBatch([
      itemOf(900, { surface: "Wort, ひらがな src/store/MemoryStore.ts v1.2.3 ".repeat(30_000) }),
      itemOf(901, { surface: `${"y".repeat(700)} don't` }),
    ]);
    const { entries } = await allAudited(bench.store, 10, true);
    expect(entries).toHaveLength(texts.length + 2);
    expect(entries.filter(({ fault }) => fault !== undefined)).toEqual([]);
    const of = entries.length;
    expect(await bench.store.auditIndex({ of, first: 0, count: of })).toEqual({
      sampled: of,
      faults: [],
    });
    expect(await bench.store.auditCounts()).toMatchObject({
      records: of,
      indexed: of,
      totalRecords: of,
      strayTags: 0,
    });
  });

  it("V1: a page of large texts ends early and loses none", async () => {
    const surface = "x".repeat(1_000_000);
    await bench.store.commitBatch(
      Array.from({ length: 20 }, (_, n) => itemOf(n, { surface: `${surface}${n}` })),
    );
    const { entries, pages } = await allAudited(bench.store, 100, true);
    expect(entries.map(({ ulid }) => ulid)).toEqual(Array.from({ length: 20 }, (_, n) => idOf(n)));
    expect(pages).toBeGreaterThan(2);
  });

  it("V1: the sample is spread over the store, and its parts make the whole", async () => {
    await bench.store.commitBatch(Array.from({ length: 50 }, (_, n) => itemOf(n)));
    const part = (of: number, first: number, count: number) =>
      bench.store.auditIndex({ of, first, count }).then(({ sampled }) => sampled);
    expect(await part(7, 0, 7)).toBe(7);
    expect((await part(7, 0, 3)) + (await part(7, 3, 9))).toBe(7);
    expect(await part(80, 0, 80)).toBe(50);
    expect(await part(1, 0, 1)).toBe(1);
  });

  it("V1: a cursor of somebody else's is refused", async () => {
    const query = { limit: 1, hashes: true, after: "rows:1; DROP TABLE records" };
    await expect(bench.store.auditRows(query)).rejects.toThrow(TypeError);
  });
}
