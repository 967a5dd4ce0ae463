/** The contract's sentences on exportRows. */
import { expect, it } from "vitest";
import type { ExportRow, MemoryStore } from "../../src/store/memory-store.ts";
import { HOSTILE_STRINGS, idOf, itemOf, type OpenContractStore, useStore } from "./store-bench.ts";

const PLENTY = { countMax: 1_000, charsMax: 1_000_000 };

async function pages(
  store: MemoryStore,
  of: "records" | "aliases",
  limits = PLENTY,
): Promise<ExportRow[][]> {
  const found: ExportRow[][] = [];
  for (let after: string | undefined; ; ) {
    const page = await store.exportRows({ of, ...limits, ...(after && { after }) });
    if (page.length === 0) return found;
    found.push([...page]);
    after = page.at(-1)?.ulid;
  }
}

export function exportContract(open: OpenContractStore): void {
  const bench = useStore(open);

  it("S7: lists every record's JSON as it was handed in, in the order of ids", async () => {
    const items = Object.values(HOSTILE_STRINGS).map((text, n) => itemOf(n, { surface: text }));
    await bench.store.commitBatch(items.toReversed());
    expect((await pages(bench.store, "records")).flat()).toEqual(
      items.map(({ ulid, appendedAt, sha256, recordJson }) => ({
        ulid,
        appendedAt,
        sha256,
        recordJson,
      })),
    );
  });

  it("S7: a page is bounded by count and by size, and holds a row at least", async () => {
    await bench.store.commitBatch(Array.from({ length: 7 }, (_, n) => itemOf(n)));
    const sizes = async (limits: { countMax: number; charsMax: number }) =>
      (await pages(bench.store, "records", limits)).map((page) => page.length);
    expect(await sizes({ countMax: 3, charsMax: 1_000_000 })).toEqual([3, 3, 1]);
    expect(await sizes({ countMax: 1_000, charsMax: 1 })).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(await sizes({ countMax: 1_000, charsMax: 25 })).toEqual([2, 2, 2, 1]);
  });

  it("S7: lists duplicates under their own ids and times, with the JSON of the record they mean", async () => {
    const first = itemOf(1, { idempotency_key: "k" });
    const again = { ...first, ulid: idOf(5), appendedAt: "2026-03-02T00:00:00.000Z" };
    await bench.store.commitBatch([first, again]);
    expect((await pages(bench.store, "records")).flat().map(({ ulid }) => ulid)).toEqual([idOf(1)]);
    expect((await pages(bench.store, "aliases")).flat()).toEqual([
      {
        ulid: idOf(5),
        appendedAt: "2026-03-02T00:00:00.000Z",
        sha256: first.sha256,
        recordJson: first.recordJson,
        duplicateOf: idOf(1),
      },
    ]);
  });

  it("S7: an ended page keeps nobody from writing", async () => {
    await bench.store.commitBatch(Array.from({ length: 7 }, (_, n) => itemOf(n)));
    await bench.store.exportRows({ of: "records", countMax: 100, charsMax: 1 });
    await bench.store.commitBatch([itemOf(9)]);
    const other = await bench.openAnother();
    await other.commitBatch([itemOf(10)]);
    expect((await pages(bench.store, "records")).flat()).toHaveLength(9);
  });
}
