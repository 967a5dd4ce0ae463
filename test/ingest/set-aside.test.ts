import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { IngesterOptions } from "../../src/ingest/ingester.ts";
import { markPath, pendingPath } from "../../src/queue/layout.ts";
import type { ConflictCode } from "../../src/store/memory-store.ts";
import { failingFor, storeAway, storeRefuses } from "../support/fake-store.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";

const DRAIN = { dueOrNot: false };

/** Marks are judged against real file times, so the manual clock begins now. */
function bench(options: Partial<IngesterOptions> = {}) {
  const clock = new ManualClock(Date.now());
  const queue = new IngestBench(clock);
  const ingester = queue.ingester(options);
  return { queue, clock, ingester, drain: () => ingester.drain(DRAIN) };
}

describe("a record that is at fault", () => {
  it("Q9: a damaged file spends an attempt at once and again, then after 60 s goes to quarantine; the others go on", async () => {
    const { queue, clock, drain } = bench();
    const [first, bad, last] = (await queue.append("a", "bad", "c")) as [string, string, string];
    queue.spoil(bad);
    const damaged = queue.bytesOf(bad);
    expect(await drain()).toEqual({ ingested: 2, quarantined: 0, skipped: 1 });
    expect([...queue.store.rows.keys()]).toEqual([first, last]);
    const spent = queue.events.named("envelope_set_aside");
    expect(spent.map(({ attempts, retry_in_ms }) => [attempts, retry_in_ms])).toEqual([
      [1, 0],
      [2, 60_000],
    ]);
    clock.advance(59_000);
    expect(await drain()).toEqual({ ingested: 0, quarantined: 0, skipped: 1 });
    expect(queue.reason(bad)).toBeUndefined();
    clock.advance(1_500);
    expect(await drain()).toEqual({ ingested: 0, quarantined: 1, skipped: 0 });
    expect(queue.reason(bad)).toMatchObject({ code: "ENVELOPE_CHECKSUM_MISMATCH", attempts: 3 });
    expect([queue.pending(), queue.marked(bad)]).toEqual([[], false]);
    expect(damaged.includes("?bad")).toBe(true);
    expect(JSON.stringify([queue.reason(bad), queue.events.all])).not.toContain("?bad");
    expect(queue.events.named("capture_quarantined")).toEqual([
      { ulid: bad, code: "ENVELOPE_CHECKSUM_MISMATCH", attempts: 3 },
    ]);
  });

  it("Q9: does not wait when the drain was asked to try all", async () => {
    const { queue, ingester } = bench();
    const [bad] = (await queue.append("bad")) as [string];
    queue.spoil(bad);
    expect(await ingester.drain({ dueOrNot: true })).toMatchObject({ quarantined: 1 });
    expect(queue.reason(bad)?.attempts).toBe(3);
  });

  it("Q9: attempts are kept from one ingester to the next", async () => {
    const { queue, clock, drain } = bench();
    const [bad] = (await queue.append("bad")) as [string];
    queue.spoil(bad);
    await drain();
    clock.advance(61_000);
    expect(await queue.ingester().drain(DRAIN)).toMatchObject({ quarantined: 1 });
    expect(queue.reason(bad)?.attempts).toBe(3);
  });

  it("Q9: hundreds of bad files in front keep no good one waiting", async () => {
    const { queue, drain } = bench({ batchRecordsMax: 10 });
    const bad = await queue.appendMany(25);
    for (const ulid of bad) queue.spoil(ulid);
    const [good] = (await queue.append("good")) as [string];
    expect(await drain()).toMatchObject({ ingested: 1, skipped: 25 });
    expect([...queue.store.rows.keys()]).toEqual([good]);
  });

  it("Q10: an unknown schema_version stays, is not marked, counts as no failure, and is told once", async () => {
    const { queue, clock, drain } = bench();
    const [, newer] = (await queue.append("a", "newer", "c")) as [string, string, string];
    queue.rewrite(newer, (text) => text.replace('"schema_version":1', '"schema_version":99'));
    expect(await drain()).toEqual({ ingested: 2, quarantined: 0, skipped: 1 });
    for (let day = 0; day < 5; day++) {
      clock.advance(86_400_000);
      expect(await drain()).toEqual({ ingested: 0, quarantined: 0, skipped: 1 });
    }
    expect([queue.pending(), queue.marked(newer)]).toEqual([[newer], false]);
    expect(queue.events.named("schema_version_unknown")).toEqual([
      { ulid: newer, schema_version: "99" },
    ]);
    expect(queue.events.named("envelope_set_aside")).toEqual([]);
  });

  it("Q10: a stale mark beside a newer program's record goes, the record stays", async () => {
    const { queue, clock, drain } = bench();
    const [newer] = (await queue.append("newer")) as [string];
    queue.rewrite(newer, (text) => text.replace('"schema_version":1', '"schema_version":99'));
    writeFileSync(markPath(queue.layout, newer), "");
    clock.advance(60_000);
    expect(await drain()).toMatchObject({ skipped: 1 });
    expect([queue.pending(), queue.marked(newer)]).toEqual([[newer], false]);
  });

  it.each<[string, () => unknown, string]>([
    ["the store refuses", storeRefuses, "STORE_REFUSED"],
    ["nobody can explain", () => new TypeError("secret words"), "INTERNAL"],
  ])(
    "I5: a record that %s is found by halving, spends its attempts and is quarantined",
    async (_, error, code) => {
      const { queue, clock, drain } = bench();
      const ids = await queue.appendMany(20);
      const bad = ids[13] as string;
      queue.store.before = failingFor([bad], error);
      expect(await drain()).toMatchObject({ ingested: 19 });
      expect(queue.pending()).toEqual([bad]);
      clock.advance(61_000);
      expect(await drain()).toMatchObject({ ingested: 0, quarantined: 1 });
      expect(queue.reason(bad)).toMatchObject({ code, attempts: 3 });
      expect(JSON.stringify(queue.reason(bad))).not.toContain("secret");
      expect(queue.store.rows.size).toBe(19);
    },
  );

  it("I5: an unknown failure of every record quarantines nothing, however often", async () => {
    const { queue, clock, drain } = bench();
    const ids = await queue.appendMany(3);
    queue.store.before = () => {
      throw new TypeError("nothing works");
    };
    for (let tries = 0; tries < 5; tries++) {
      await expect(drain()).rejects.toThrow(TypeError);
      clock.advance(200_000);
    }
    expect(queue.pending()).toEqual(ids);
    expect(queue.events.named("envelope_set_aside")).toEqual([]);
  });

  it.each<ConflictCode>(["ULID_CONFLICT", "IDEMPOTENCY_CONFLICT"])(
    "I5: %s goes to quarantine at once, with a reason that names both ids and no text",
    async (code) => {
      const { queue, drain } = bench();
      const [good, bad] = (await queue.append("good", "contested words")) as [string, string];
      const existing = code === "ULID_CONFLICT" ? bad : good;
      queue.store.conflicts.set(bad, { ulid: bad, code, existing });
      expect(await drain()).toEqual({ ingested: 1, quarantined: 1, skipped: 0 });
      expect(queue.reason(bad)).toMatchObject({ code, attempts: 1 });
      expect(queue.reason(bad)?.message).toContain(existing);
      expect(JSON.stringify(queue.reason(bad))).not.toContain("contested words");
      expect([queue.pending(), queue.marked(bad)]).toEqual([[], false]);
    },
  );

  it("I5: conflicts of the real store are found, kept and told apart", async () => {
    const clock = new ManualClock(Date.now());
    const queue = new IngestBench(clock);
    const first = await queue.queue.append({ surface: "one", idempotency_key: "k" });
    const ingester = queue.ingester({ openStore: () => queue.openSqlite() });
    await ingester.drain(DRAIN);
    await queue.queue.append({ surface: "another text" }, { retryUlid: first.ulid });
    const second = await queue.queue.append({ surface: "two", idempotency_key: "k" });
    const again = await queue.queue.append({ surface: "one", idempotency_key: "k" });
    expect(await ingester.drain(DRAIN)).toEqual({ ingested: 1, quarantined: 2, skipped: 0 });
    expect(queue.reason(first.ulid)?.code).toBe("ULID_CONFLICT");
    expect(queue.reason(second.ulid)?.code).toBe("IDEMPOTENCY_CONFLICT");
    const store = await queue.openSqlite();
    expect((await store.get(again.ulid))?.record.surface).toBe("one");
    expect((await store.stats()).records).toBe(1);
    await store.close();
  });

  it("I5: a conflict that another process holds is left to it", async () => {
    const { queue, drain } = bench();
    const [bad] = (await queue.append("bad")) as [string];
    queue.store.conflicts.set(bad, { ulid: bad, code: "ULID_CONFLICT", existing: bad });
    queue.store.before = () => mkdirSync(markPath(queue.layout, bad));
    expect(await drain()).toEqual({ ingested: 0, quarantined: 0, skipped: 1 });
    expect(queue.pending()).toEqual([bad]);
  });

  it("Q9: a conflict that can not be moved for a disk error waits, and the others are settled", async () => {
    const faulty = faultyFsSync();
    const { queue, drain } = bench({ fs: faulty.fs });
    const [bad, good] = (await queue.append("bad", "good")) as [string, string];
    queue.store.conflicts.set(bad, { ulid: bad, code: "ULID_CONFLICT", existing: bad });
    faulty.fail({ method: "link", errno: "EIO" });
    expect(await drain()).toMatchObject({ ingested: 1, quarantined: 0, skipped: 1 });
    expect([queue.pending(), queue.store.rows.has(good)]).toEqual([[bad], true]);
    expect(queue.events.named("envelope_read_failed")).toEqual([{ ulid: bad, errno: "EIO" }]);
    faulty.fail(undefined);
    expect(await drain()).toMatchObject({ quarantined: 1, skipped: 0 });
  });

  it("Q9: a record with a mark is not forgotten when the store was away as it came to its turn", async () => {
    const { queue, clock, drain } = bench();
    const [marked, other] = (await queue.append("marked", "other")) as [string, string];
    writeFileSync(markPath(queue.layout, marked), JSON.stringify({ attempts: 2, faults: 1 }));
    utimesSync(markPath(queue.layout, marked), 1, 1);
    queue.store.before = () => {
      throw storeAway();
    };
    await expect(drain()).rejects.toThrow("away");
    queue.store.before = () => {};
    clock.advance(1_000);
    expect(await drain()).toEqual({ ingested: 2, quarantined: 0, skipped: 0 });
    expect([...queue.store.rows.keys()]).toEqual([marked, other]);
    expect(queue.marked(marked)).toBe(false);
  });

  it("Q9: a mark that the store's absence gave back keeps its attempts", async () => {
    const { queue, clock, drain } = bench();
    const [bad, good] = (await queue.append("bad", "good")) as [string, string];
    queue.store.before = failingFor([bad], storeRefuses);
    await drain();
    queue.store.before = () => {
      throw storeAway();
    };
    clock.advance(61_000);
    await expect(drain()).rejects.toThrow("away");
    queue.store.before = failingFor([bad], storeRefuses);
    expect(await drain()).toMatchObject({ quarantined: 1 });
    expect(queue.reason(bad)?.attempts).toBe(3);
    expect(queue.store.rows.has(good)).toBe(true);
  });

  it("X1: a directory under an envelope's name is set aside and blocks nobody", async () => {
    const { queue, ingester } = bench();
    const [good] = (await queue.append("good")) as [string];
    const foreign = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
    mkdirSync(pendingPath(queue.layout, foreign));
    expect(await ingester.drain({ dueOrNot: true })).toMatchObject({ ingested: 1, quarantined: 1 });
    expect([...queue.store.rows.keys()]).toEqual([good]);
  });
});
