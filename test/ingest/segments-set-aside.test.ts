import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { IngesterOptions } from "../../src/ingest/ingester.ts";
import { segmentPath } from "../../src/queue/spill-segment.ts";
import type { ConflictCode } from "../../src/store/memory-store.ts";
import { failingFor, storeAway, storeRefuses } from "../support/fake-store.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { copyToSegment, overflowNames, spill } from "../support/spilled-segments.ts";

const DRAIN = { dueOrNot: false };

function bench(options: Partial<IngesterOptions> = {}) {
  const clock = new ManualClock(Date.now());
  const queue = new IngestBench(clock);
  const ingester = queue.ingester(options);
  return { queue, clock, ingester, drain: () => ingester.drain(DRAIN) };
}

const inQuarantine = (queue: IngestBench) =>
  readdirSync(queue.layout.quarantineDir).filter((name) => !name.endsWith(".reason.json"));

describe("a spilled record that the store does not take", () => {
  it.each<ConflictCode>(["ULID_CONFLICT", "IDEMPOTENCY_CONFLICT"])(
    "I5: %s goes to quarantine as an envelope of its own before its segment goes",
    async (code) => {
      const { queue, drain } = bench();
      const [good, bad] = (await queue.append("good", "contested words")) as [string, string];
      const bytes = queue.bytesOf(bad);
      spill(queue.layout, [good, bad]);
      const existing = code === "ULID_CONFLICT" ? bad : good;
      queue.store.conflicts.set(bad, { ulid: bad, code, existing });
      expect(await drain()).toEqual({ ingested: 1, quarantined: 1, skipped: 0 });
      expect(queue.reason(bad)).toMatchObject({ code, attempts: 1 });
      expect(queue.reason(bad)?.message).toContain(existing);
      expect(JSON.stringify([queue.reason(bad), queue.events.all])).not.toContain("contested");
      expect(readFileSync(join(queue.layout.quarantineDir, `pending-${bad}.json`))).toEqual(bytes);
      expect([queue.pending(), overflowNames(queue.layout)]).toEqual([[], []]);
      expect(queue.events.named("capture_quarantined")).toEqual([{ ulid: bad, code, attempts: 1 }]);
      expect(queue.reports.at(-1)?.totals.quarantined).toBe(1);
    },
  );

  it("I5: a conflict of the real store is found among spilled records", async () => {
    const { queue } = bench();
    const first = await queue.queue.append({ surface: "one" });
    const ingester = queue.ingester({ openStore: () => queue.openSqlite() });
    await ingester.drain(DRAIN);
    await queue.queue.append({ surface: "another text" }, { retryUlid: first.ulid });
    const [good] = (await queue.append("good")) as [string];
    spill(queue.layout, [first.ulid, good]);
    expect(await ingester.drain(DRAIN)).toEqual({ ingested: 1, quarantined: 1, skipped: 0 });
    expect(queue.reason(first.ulid)?.code).toBe("ULID_CONFLICT");
    const store = await queue.openSqlite();
    expect((await store.get(first.ulid))?.record.surface).toBe("one");
    expect((await store.stats()).records).toBe(2);
    await store.close();
  });

  it("I5: a conflict that is pending and in a segment at once is in quarantine once", async () => {
    const { queue, drain } = bench();
    const [bad] = (await queue.append("bad")) as [string];
    copyToSegment(queue.layout, [bad]);
    queue.store.conflicts.set(bad, { ulid: bad, code: "ULID_CONFLICT", existing: bad });
    await drain();
    expect(inQuarantine(queue)).toEqual([`pending-${bad}.json`]);
    expect([queue.pending(), overflowNames(queue.layout), queue.marked(bad)]).toEqual([
      [],
      [],
      false,
    ]);
    expect(queue.events.named("capture_quarantined")).toHaveLength(1);
  });

  it("I5: a conflict that was quarantined before a crash is not there twice after it", async () => {
    const { queue, drain } = bench();
    const [bad] = (await queue.append("bad")) as [string];
    const name = spill(queue.layout, [bad]);
    const segment = readFileSync(segmentPath(queue.layout, name));
    queue.store.conflicts.set(bad, { ulid: bad, code: "ULID_CONFLICT", existing: bad });
    expect(await drain()).toMatchObject({ quarantined: 1 });
    writeFileSync(segmentPath(queue.layout, name), segment); // its unlink was not durable
    expect(await queue.ingester().drain(DRAIN)).toMatchObject({ quarantined: 0, skipped: 0 });
    expect(inQuarantine(queue)).toEqual([`pending-${bad}.json`]);
    expect(overflowNames(queue.layout)).toEqual([]);
    expect(queue.events.named("capture_quarantined")).toHaveLength(1);
  });

  it.each<[string, () => unknown, string]>([
    ["the store refuses", storeRefuses, "STORE_REFUSED"],
    ["nobody can explain", () => new TypeError("secret words"), "INTERNAL"],
  ])(
    "Q9: one that %s spends its three attempts in its segment and is quarantined",
    async (_, error, code) => {
      const { queue, clock, drain } = bench();
      const ids = await queue.appendMany(20);
      const bad = ids[13] as string;
      const bytes = queue.bytesOf(bad);
      const name = spill(queue.layout, ids);
      queue.store.before = failingFor([bad], error);
      const [company] = await queue.append("company");
      expect(await drain()).toMatchObject({ ingested: 20, quarantined: 0 });
      expect([queue.pending(), overflowNames(queue.layout)]).toEqual([[], [name]]);
      const spent = () => queue.events.named("envelope_set_aside");
      expect(spent().map(({ attempts, retry_in_ms }) => [attempts, retry_in_ms])).toEqual([
        [1, 0],
        [2, 60_000],
      ]);
      expect(await drain()).toMatchObject({ ingested: 0, quarantined: 0, skipped: 1 });
      expect(spent()).toHaveLength(2);
      clock.advance(61_000);
      expect(await drain()).toMatchObject({ ingested: 0, quarantined: 1 });
      expect(queue.reason(bad)).toMatchObject({ code, attempts: 3 });
      expect(readFileSync(join(queue.layout.quarantineDir, `pending-${bad}.json`))).toEqual(bytes);
      expect([queue.pending(), overflowNames(queue.layout)]).toEqual([[], []]);
      expect(queue.store.rows.has(company as string)).toBe(true);
    },
  );

  it("Q9: a drain that tries what is not due ends with it in quarantine", async () => {
    const { queue, ingester } = bench();
    const [bad] = (await queue.append("bad")) as [string];
    spill(queue.layout, [bad]);
    queue.store.before = failingFor([bad], storeRefuses);
    expect(await ingester.drain({ dueOrNot: true })).toMatchObject({ quarantined: 1, skipped: 0 });
    expect([queue.pending(), overflowNames(queue.layout)]).toEqual([[], []]);
  });

  it("Q9: a lone failure that nobody can explain holds up nobody, and is its own once others went in", async () => {
    const { queue, clock, drain } = bench();
    const [bad, good] = (await queue.append("bad", "good")) as [string, string];
    const name = spill(queue.layout, [bad]);
    queue.store.before = failingFor([bad], () => new TypeError("a mistake of ours"));
    expect(await drain()).toMatchObject({ ingested: 1, skipped: 1, quarantined: 0 });
    expect([...queue.store.rows.keys()]).toEqual([good]);
    expect([queue.pending(), overflowNames(queue.layout)]).toEqual([[], [name]]);
    expect(queue.events.named("envelope_set_aside")).toEqual([]);
    for (let tries = 0; tries < 4; tries++) {
      clock.advance(130_000);
      await drain();
    }
    expect(queue.reason(bad)).toMatchObject({ code: "INTERNAL", attempts: 3 });
    expect(overflowNames(queue.layout)).toEqual([]);
  });

  it("Q9: alone, with nothing else going in, it waits for ever and is never quarantined", async () => {
    const { queue, clock, drain } = bench();
    const [bad] = (await queue.append("bad")) as [string];
    const name = spill(queue.layout, [bad]);
    queue.store.before = failingFor([bad], () => new TypeError("a mistake of ours"));
    for (let tries = 0; tries < 8; tries++) {
      expect(await drain()).toMatchObject({ ingested: 0, quarantined: 0, skipped: 1 });
      clock.advance(130_000);
    }
    expect(overflowNames(queue.layout)).toEqual([name]);
  });

  it("Q9: one that was sent back from quarantine while its segment stayed is there again when that goes", async () => {
    const { queue, clock, drain } = bench();
    const [aside, failing] = (await queue.append("aside", "failing")) as [string, string];
    spill(queue.layout, [aside, failing]);
    queue.store.conflicts.set(aside, { ulid: aside, code: "ULID_CONFLICT", existing: aside });
    queue.store.before = failingFor([failing], storeRefuses);
    await drain();
    expect(inQuarantine(queue)).toEqual([`pending-${aside}.json`]);
    // Somebody sends it back, and a recovery takes it from the queue: the segment still has it.
    rmSync(join(queue.layout.quarantineDir, `pending-${aside}.json`));
    queue.store.before = () => {};
    clock.advance(61_000);
    expect(await drain()).toMatchObject({ ingested: 1 });
    expect(overflowNames(queue.layout)).toEqual([]);
    expect(inQuarantine(queue)).toEqual([`pending-${aside}.json`]);
  });

  it("Q9: also when it was sent back and taken away again in the midst of the pass", async () => {
    const { queue, drain } = bench({ batchRecordsMax: 1 });
    const [aside, good] = (await queue.append("aside", "good")) as [string, string];
    const file = join(queue.layout.quarantineDir, `pending-${aside}.json`);
    spill(queue.layout, [aside, good]);
    queue.store.conflicts.set(aside, { ulid: aside, code: "ULID_CONFLICT", existing: aside });
    queue.store.before = (items) => {
      if (items.some(({ ulid }) => ulid === good)) rmSync(file);
    };
    await drain();
    expect(overflowNames(queue.layout)).toEqual([]);
    expect(inQuarantine(queue)).toEqual([`pending-${aside}.json`]);
  });

  it("I5: an unknown failure of every spilled record is the store's: nothing is put back or quarantined", async () => {
    const { queue, drain } = bench();
    const name = spill(queue.layout, await queue.appendMany(3));
    queue.store.before = () => {
      throw new TypeError("nothing works");
    };
    await expect(drain()).rejects.toThrow(TypeError);
    expect([queue.pending(), overflowNames(queue.layout)]).toEqual([[], [name]]);
    expect(inQuarantine(queue)).toEqual([]);
  });

  it("Q9: the store's absence quarantines nothing, however often", async () => {
    const { queue, clock, drain } = bench();
    const name = spill(queue.layout, await queue.appendMany(3));
    queue.store.before = () => {
      throw storeAway();
    };
    for (let tries = 0; tries < 5; tries++) {
      await expect(drain()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      clock.advance(200_000);
    }
    expect([queue.pending(), overflowNames(queue.layout)]).toEqual([[], [name]]);
    expect(inQuarantine(queue)).toEqual([]);
  });

  it("Q9: a disk too full for a conflict's quarantine keeps the segment, and the others are not ingested again", async () => {
    const faulty = faultyFsSync();
    const { queue, drain } = bench({ fs: faulty.fs });
    const ids = (await queue.append("bad", "worse", "good")) as [string, string, string];
    const [bad, worse] = ids;
    const name = spill(queue.layout, ids);
    for (const ulid of [bad, worse]) {
      queue.store.conflicts.set(ulid, { ulid, code: "ULID_CONFLICT", existing: ulid });
    }
    faulty.fail({ method: "openExclusive", errno: "ENOSPC" });
    expect(await drain()).toEqual({ ingested: 1, quarantined: 0, skipped: 2 });
    expect(await drain()).toEqual({ ingested: 0, quarantined: 0, skipped: 2 });
    expect(overflowNames(queue.layout)).toEqual([name]);
    expect(queue.events.named("envelope_read_failed")).toEqual([
      { ulid: bad, errno: "ENOSPC" },
      { ulid: worse, errno: "ENOSPC" },
    ]);
    faulty.fail(undefined);
    expect(await drain()).toMatchObject({ quarantined: 2 });
    expect([queue.pending(), overflowNames(queue.layout)]).toEqual([[], []]);
  });
});
