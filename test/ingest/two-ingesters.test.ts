import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeMembers } from "../../src/queue/archive-member.ts";
import { decodeEnvelope } from "../../src/record/envelope.ts";
import type { CommitItem, MemoryStore } from "../../src/store/memory-store.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import { copyToSegment, flip, overflowNames, spill } from "../support/spilled-segments.ts";

const DRAIN = { dueOrNot: false };

/** A store whose callers wait for each other before they go on: as close together as can be. */
function meeting(stores: readonly MemoryStore[]): MemoryStore[] {
  let waiting: (() => void)[] = [];
  let left = stores.length;
  const release = () => {
    for (const go of waiting) go();
    waiting = [];
  };
  const arrive = () =>
    new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length >= left) release();
    });
  return stores.map(
    (store) =>
      ({
        commitBatch: async (items: readonly CommitItem[]) => {
          await arrive();
          return store.commitBatch(items);
        },
        close: async () => {
          left--;
          if (waiting.length >= left) release();
          await store.close();
        },
      }) as MemoryStore,
  );
}

/** Every id in the done archive, each line verified, nothing skipped. */
function archived(bench: IngestBench): Set<string> {
  const ids = new Set<string>();
  for (const name of readdirSync(bench.layout.doneDir)) {
    const file = readFileSync(join(bench.layout.doneDir, name));
    for (const { lines } of decodeMembers(file, () => expect.unreachable())) {
      for (const line of lines) {
        const { ulid } = JSON.parse(line.toString()) as { ulid: string };
        ids.add(decodeEnvelope(line, ulid).ulid);
      }
    }
  }
  return ids;
}

async function drainTogether(bench: IngestBench, batchRecordsMax: number): Promise<void> {
  const stores = meeting(await Promise.all([bench.openSqlite(), bench.openSqlite()]));
  await Promise.all(
    stores.map(async (store) => {
      const ingester = bench.ingester({ batchRecordsMax, openStore: async () => store });
      await ingester.drain(DRAIN);
      await ingester.stop();
    }),
  );
}

describe("two ingesters at once", () => {
  it("I3: are harmless: pending and spilled records end exactly once in store and archive", async () => {
    const bench = new IngestBench();
    const ids = await bench.appendMany(90);
    spill(bench.layout, ids.slice(0, 20));
    spill(bench.layout, ids.slice(20, 35));
    copyToSegment(bench.layout, ids.slice(35, 50));
    await drainTogether(bench, 7);
    expect([bench.pending(), overflowNames(bench.layout)]).toEqual([[], []]);
    expect([...archived(bench)].sort()).toEqual(ids);
    expect(readFileSync(bench.layout.highWaterFile, "utf8")).toBe(ids.at(-1));
    const store = await bench.openSqlite();
    expect((await store.stats()).records).toBe(ids.length);
    expect((await store.lookup(ids)).size).toBe(ids.length);
    await store.close();
    expect(readdirSync(bench.layout.quarantineDir)).toEqual([]);
    const done = bench.events.named("capture_ingested");
    expect(done.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(ids.length);
    // They did meet: each saw what the other had inserted.
    expect(done.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBeGreaterThan(20);
  });

  it("I3: set the same conflicts, bad envelopes and damaged segments aside, each once", async () => {
    const bench = new IngestBench();
    const [taken] = (await bench.append("the stored text")) as [string];
    await bench.ingester({ openStore: () => bench.openSqlite() }).drain(DRAIN);
    await bench.queue.append({ surface: "another text" }, { retryUlid: taken });
    const ids = await bench.appendMany(40);
    spill(bench.layout, [taken, ...ids.slice(0, 10)]);
    const damaged = spill(bench.layout, ids.slice(10, 30));
    flip(bench.layout, damaged, 40); // in its first member, of sixteen records
    await drainTogether(bench, 5);
    const names = readdirSync(bench.layout.quarantineDir).sort();
    expect(names).toEqual(
      [
        damaged,
        `${damaged}.reason.json`,
        `pending-${taken}.json`,
        `pending-${taken}.reason.json`,
      ].sort(),
    );
    expect([bench.pending(), overflowNames(bench.layout)]).toEqual([[], []]);
    const store = await bench.openSqlite();
    expect((await store.stats()).records).toBe(1 + 10 + 4 + 10);
    expect((await store.get(taken))?.record.surface).toBe("the stored text");
    await store.close();
  });
});
