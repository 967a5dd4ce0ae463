import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { commitBisecting } from "../../src/ingest/commit.ts";
import type { CommitItem } from "../../src/store/memory-store.ts";
import { FakeStore, failingFor, storeAway, storeRefuses } from "../support/fake-store.ts";

function items(count: number): CommitItem[] {
  return Array.from({ length: count }, (_, n) => ({
    ulid: `U${String(n).padStart(4, "0")}`,
    appendedAt: "2026-03-01T09:30:00.000Z",
    sha256: "0".repeat(64),
    record: { surface: "x" },
    recordJson: '{"surface":"x"}',
  }));
}

const idsOf = (list: readonly CommitItem[]) => list.map(({ ulid }) => ulid);

describe("commitBisecting", () => {
  it("I5: commits a good batch in one transaction", async () => {
    const store = new FakeStore();
    const batch = items(500);
    expect((await commitBisecting(store, batch)).inserted).toEqual(idsOf(batch));
    expect(store.tried).toHaveLength(1);
  });

  it.each([
    ["that the store refuses", storeRefuses],
    ["at which it fails in an unknown way", () => new TypeError("a mistake of ours")],
  ])("I5: finds the one record %s; all others are in the store", async (_, error) => {
    for (const bad of ["U0000", "U0031", "U0063"]) {
      const store = new FakeStore();
      store.before = failingFor([bad], error);
      const { inserted, refused } = await commitBisecting(store, items(64));
      expect(refused.map(({ ulid }) => ulid)).toEqual([bad]);
      expect(inserted).toEqual(idsOf(items(64)).filter((ulid) => ulid !== bad));
      // The whole, and two halves a level.
      expect(store.tried.length).toBeLessThanOrEqual(1 + 2 * Math.log2(64));
    }
  });

  it("I5: finds every bad record, wherever they are, and tries no record alone twice", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.uniqueArray(fc.nat({ max: 39 }), { maxLength: 12 }),
        async (count, places) => {
          const batch = items(count);
          const bad = places.filter((place) => place < count).map((n) => idsOf(batch)[n] as string);
          const store = new FakeStore();
          store.before = failingFor(bad, storeRefuses);
          const { inserted, refused } = await commitBisecting(store, batch);
          expect(refused.map(({ ulid }) => ulid)).toEqual([...bad].sort());
          expect(inserted).toEqual(idsOf(batch).filter((ulid) => !bad.includes(ulid)));
          const alone = store.tried.filter(({ length }) => length === 1).flat();
          expect(new Set(alone).size).toBe(alone.length);
        },
      ),
    );
  });

  it("I5: an unknown failure of every record is the store's", async () => {
    const store = new FakeStore();
    const fault = new TypeError("nothing works");
    store.before = () => {
      throw fault;
    };
    await expect(commitBisecting(store, items(8))).rejects.toBe(fault);
  });

  it("I5: an unknown failure of a record that failed before in good company is its own", async () => {
    const store = new FakeStore();
    store.before = failingFor(["U0000"], () => new TypeError("a mistake of ours"));
    const alone = await commitBisecting(store, items(1), new Set(["U0000"]));
    expect(alone.refused.map(({ ulid }) => ulid)).toEqual(["U0000"]);
    await expect(commitBisecting(store, items(1), new Set(["U0001"]))).rejects.toThrow(TypeError);
  });

  it("I5: a refusal of every record is the records'", async () => {
    const store = new FakeStore();
    store.before = () => {
      throw storeRefuses();
    };
    expect((await commitBisecting(store, items(8))).refused).toHaveLength(8);
  });

  it.each(["STORE_UNAVAILABLE", "STORE_TOO_NEW"] as const)(
    "I5: %s is thrown at once, in the middle of a search too",
    async (code) => {
      const store = new FakeStore();
      const away = new MemspoolError(code, "away");
      store.before = (batch) => {
        if (store.tried.length === 3) throw away;
        failingFor(["U0000"], storeRefuses)(batch);
      };
      await expect(commitBisecting(store, items(8))).rejects.toBe(away);
      expect(store.tried).toHaveLength(3);
    },
  );

  it("I5: records that went in before the store left are duplicates afterwards", async () => {
    const store = new FakeStore();
    store.before = (batch) => {
      if (store.tried.length === 3) throw storeAway();
      failingFor(["U0007"], storeRefuses)(batch);
    };
    await expect(commitBisecting(store, items(8))).rejects.toThrow("away");
    store.before = failingFor(["U0007"], storeRefuses);
    const { inserted, duplicates, refused } = await commitBisecting(store, items(8));
    expect(duplicates).toEqual(["U0000", "U0001", "U0002", "U0003"]);
    expect(inserted).toEqual(["U0004", "U0005", "U0006"]);
    expect(refused.map(({ ulid }) => ulid)).toEqual(["U0007"]);
  });
});
