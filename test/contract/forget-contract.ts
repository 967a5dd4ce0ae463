/** The contract's sentences on forgetting; they stand in src/store/forgetting.ts. */
import { expect, it } from "vitest";
import type { ForgetOrder } from "../../src/store/forgetting.ts";
import { idOf, itemOf, type OpenContractStore, useStore } from "./store-bench.ts";

const GONE_ON = () => false;
const ORDER = idOf(900_000);

function orderOf(ulids: readonly string[], request = ORDER): ForgetOrder {
  return { request, ulids, forgottenAt: "2026-04-01T00:00:00.000Z", reason: "requested" };
}

export function forgetContract(open: OpenContractStore): void {
  const bench = useStore(open);
  const key = { project: "p", idempotency_key: "turn 1" };

  it("S6: a forgotten record is in no answer, and the others stay", async () => {
    const { store } = bench;
    await store.commitBatch([
      itemOf(1, { session_id: "s", tags: ["t"], surface: "alpha common" }),
      itemOf(2, { session_id: "s", tags: ["t"], surface: "beta common" }),
    ]);
    expect(await store.forget(orderOf([idOf(1)]))).toEqual({ removed: 1 });
    expect(await store.get(idOf(1))).toBeUndefined();
    const timeline = await store.timeline({ filter: {}, limit: 10 });
    expect(timeline.map(({ ulid }) => ulid)).toEqual([idOf(2)]);
    const found = await store.candidates({ terms: ["alpha", "common"], filter: {}, countMax: 10 });
    expect(found.candidates.map(({ ulid }) => ulid)).toEqual([idOf(2)]);
    expect(found.recordCount).toBe(1);
    expect((await store.facets("tags", {}, 10)).map(({ count }) => count)).toEqual([1]);
    expect((await store.exportRows({ of: "records", countMax: 10, charsMax: 1e6 })).length).toBe(1);
    expect(await store.stats()).toMatchObject({ records: 1, aliases: 0 });
    const { records, indexed, strayTags, totalRecords } = await store.auditCounts();
    expect({ records, indexed, strayTags, totalRecords }).toEqual({
      records: 1,
      indexed: 1,
      strayTags: 0,
      totalRecords: 1,
    });
  });

  it("S6: a lookup says forgotten, when and why", async () => {
    const { store } = bench;
    await store.commitBatch([itemOf(1)]);
    await store.forget({ ...orderOf([idOf(1), idOf(2)]), reason: "a wrong address" });
    const tombstone = { forgottenAt: "2026-04-01T00:00:00.000Z", reason: "a wrong address" };
    expect(Object.fromEntries(await store.lookup([idOf(1), idOf(2), idOf(3)]))).toEqual({
      [idOf(1)]: { state: "forgotten", ...tombstone },
      // Never seen here: it may be on its way.
      [idOf(2)]: { state: "forgotten", ...tombstone },
    });
  });

  it("S6: nothing under a forgotten id is taken in again, from whichever connection", async () => {
    await bench.store.commitBatch([itemOf(1)]);
    await bench.store.forget(orderOf([idOf(1)]));
    const other = await bench.openAnother();
    const again = await other.commitBatch([itemOf(1), itemOf(1, { surface: "other" }), itemOf(2)]);
    expect(again).toEqual({
      inserted: [idOf(2)],
      duplicates: [],
      conflicts: [],
      forgotten: [idOf(1), idOf(1)],
    });
    expect(await other.get(idOf(1))).toBeUndefined();
  });

  it("S6: the same turn under a new id is not taken in, and its id is forgotten, too", async () => {
    const { store } = bench;
    await store.commitBatch([itemOf(1, { ...key, surface: "said once" })]);
    await store.forget(orderOf([idOf(1)]));
    const again = await store.commitBatch([itemOf(2, { ...key, surface: "said once" })]);
    expect(again.forgotten).toEqual([idOf(2)]);
    expect((await store.lookup([idOf(2)])).get(idOf(2))?.state).toBe("forgotten");
    expect((await store.tracesOf(ORDER)).ulids).toEqual([idOf(1), idOf(2)]);
  });

  it("S6: another text under a forgotten record's key, or its text without one, is new", async () => {
    const { store } = bench;
    await store.commitBatch([itemOf(1, { ...key, surface: "said once" })]);
    await store.forget(orderOf([idOf(1)]));
    const result = await store.commitBatch([
      itemOf(2, { ...key, surface: "said otherwise" }),
      itemOf(3, { surface: "said once" }),
      itemOf(4, { ...key, project: "q", surface: "said once" }),
    ]);
    expect(result.inserted).toEqual([idOf(2), idOf(3), idOf(4)]);
  });

  it("S6: a record goes under all of its ids, whichever is named", async () => {
    const { store } = bench;
    const same = { ...key, surface: "said twice" };
    await store.commitBatch([itemOf(1, same), itemOf(2, same), itemOf(3, same), itemOf(4)]);
    const ids = [idOf(1), idOf(2), idOf(3)];
    expect(await store.sameRecords([idOf(2), idOf(77)])).toEqual(ids);
    expect(await store.forget(orderOf([idOf(2)]))).toEqual({ removed: 1 });
    expect([...(await store.lookup(ids)).values()].map(({ state }) => state)).toEqual([
      "forgotten",
      "forgotten",
      "forgotten",
    ]);
    const { ulids, replayHashes } = await store.tracesOf(ORDER);
    expect(ulids).toEqual(ids);
    expect(replayHashes).toHaveLength(1);
    expect(await store.stats()).toMatchObject({ records: 1, aliases: 0 });
  });

  it("S6: an order may be repeated, and a second one keeps the first one's time", async () => {
    const { store } = bench;
    await store.commitBatch([itemOf(1), itemOf(2)]);
    await store.forget(orderOf([idOf(1)]));
    expect(await store.forget(orderOf([idOf(1)]))).toEqual({ removed: 0 });
    const later = { ...orderOf([idOf(1)], idOf(900_001)), reason: "later" };
    expect(await store.forget(later)).toEqual({ removed: 0 });
    expect((await store.lookup([idOf(1)])).get(idOf(1))).toMatchObject({ reason: "requested" });
    expect(await store.stats()).toMatchObject({ records: 1 });
  });

  it("S6: corrections by and of a forgotten record are gone", async () => {
    const { store } = bench;
    await store.commitBatch([
      itemOf(1),
      itemOf(2, { supersedes: [idOf(1)] }),
      itemOf(3, { supersedes: [idOf(2)] }),
    ]);
    await store.forget(orderOf([idOf(2)]));
    expect((await store.get(idOf(1)))?.supersededBy).toBeUndefined();
    expect((await store.get(idOf(3)))?.record.supersedes).toEqual([idOf(2)]);
  });

  it("S6: a session goes on counting its turns when its last one was forgotten", async () => {
    const { store } = bench;
    const turn = (n: number) => itemOf(n, { session_id: "s", project: "p" });
    await store.commitBatch([turn(1), turn(2), turn(3)]);
    await store.forget(orderOf([idOf(3), idOf(1)]));
    await store.commitBatch([turn(4), turn(5)]);
    const turns = await store.timeline({ filter: { sessionId: "s" }, limit: 9, order: "oldest" });
    expect(turns.map((record) => record.turn)).toEqual([2, 3, 4]);
  });

  it("S6: ids of a filter come in their order, page by page, without those left out", async () => {
    const { store } = bench;
    const of = (n: number, session_id: string) => itemOf(n, { session_id });
    await store.commitBatch([of(1, "a"), of(2, "b"), of(3, "a"), of(4, "a")]);
    const filter = { sessionId: "a", excluded: [idOf(3)] };
    expect(await store.matching({ filter, countMax: 1 })).toEqual([idOf(1)]);
    expect(await store.matching({ filter, countMax: 9, after: idOf(1) })).toEqual([idOf(4)]);
    expect(await store.matching({ filter: {}, countMax: 9 })).toHaveLength(4);
    const shown = await store.timeline({ filter, limit: 9 });
    expect(shown.map(({ ulid }) => ulid)).toEqual([idOf(4), idOf(1)]);
  });

  it("S6: its words are not proposed for misspelt ones, unless others say them, too", async () => {
    const { store } = bench;
    await store.commitBatch([
      itemOf(1, { surface: "the dentist Marquardt has an appointment" }),
      itemOf(2, { surface: "an appointment in May" }),
    ]);
    const asked = ["marquerdt", "appointmant"];
    const proposed = async () => Object.fromEntries(await store.spellings(asked));
    expect(await proposed()).toEqual({ marquerdt: ["marquardt"], appointmant: ["appointment"] });
    await store.forget(orderOf([idOf(1)]));
    expect(await proposed()).toEqual({ marquerdt: [], appointmant: ["appointment"] });
    await store.commitBatch([itemOf(3, { surface: "Marquardt again" })]);
    expect(await proposed()).toMatchObject({ marquerdt: ["marquardt"] });
  });

  it("S6: the audit lists what was forgotten", async () => {
    const { store } = bench;
    await store.commitBatch([itemOf(1), itemOf(2)]);
    await store.forget(orderOf([idOf(1)]));
    for (const hashes of [true, false]) {
      const entries = [];
      for (let next: string | undefined = ""; next !== undefined; ) {
        const page = await store.auditRows({ limit: 1, hashes, ...(next && { after: next }) });
        entries.push(...page.entries);
        next = page.next;
      }
      expect(entries).toEqual([
        { ulid: idOf(2), kind: "record" },
        { ulid: idOf(1), kind: "tombstone" },
      ]);
    }
  });

  it("S6: scrubbing ends clean, also when there is nothing to do, and commits go on", async () => {
    const { store } = bench;
    expect(await store.scrub({ isStopping: GONE_ON })).toBe("clean");
    await store.commitBatch([itemOf(1), itemOf(2)]);
    await store.forget(orderOf([idOf(1)]));
    expect(await store.scrub({ isStopping: () => true })).toBe("stopped");
    const scrubbing = store.scrub({ isStopping: GONE_ON });
    await store.commitBatch([itemOf(3, { surface: "gamma" })]);
    expect(await scrubbing).toBe("clean");
    const found = await store.candidates({ terms: ["gamma"], filter: {}, countMax: 9 });
    expect(found.candidates.map(({ ulid }) => ulid)).toEqual([idOf(3)]);
    for (const { ok } of await store.check()) expect(ok).toBe(true);
  });
}
