import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import type { IngesterOptions } from "../../src/ingest/ingester.ts";
import { openIngestStore } from "../../src/ingest/open-ingest-store.ts";
import { RETENTION_LOOK_MS, type RetentionSettings } from "../../src/ingest/retention.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { listOrders, readOrder } from "../../src/queue/forget-order.ts";
import type { MemoryRecord } from "../../src/record/memory-record.ts";
import { filesWith } from "../support/forget-bench.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";

const DAY_MS = 86_400_000;
const DRAIN = { dueOrNot: false };

function world() {
  const clock = new ManualClock();
  const bench = new IngestBench(clock);
  const ingester = (retention?: RetentionSettings, options: Partial<IngesterOptions> = {}) =>
    bench.ingester({
      openStore: () => openIngestStore(bench.storeFile, bench.layout, bench.events),
      storeIsThere: () => existsSync(bench.storeFile),
      retention,
      ...options,
    });
  const capture = async (...records: MemoryRecord[]): Promise<string[]> => {
    const ulids: string[] = [];
    for (const record of records) ulids.push((await bench.queue.append(record)).ulid);
    return ulids;
  };
  const ingest = async (): Promise<void> => {
    const plain = ingester();
    await plain.drain(DRAIN);
    await plain.stop();
  };
  const kept = async (ids: readonly string[]): Promise<string[]> => {
    const store = await bench.openSqlite();
    const found = await store.lookup(ids);
    await store.close();
    return ids.filter((ulid) => found.get(ulid)?.state === "ingested");
  };
  return { clock, bench, ingester, capture, ingest, kept };
}

it("C3: a record that is older than the days is forgotten, one exactly as old stays, everywhere", async () => {
  const { clock, bench, ingester, capture, ingest, kept } = world();
  const [old = ""] = await capture({ surface: "zqmark heron" });
  clock.advance(1);
  const [exact = ""] = await capture({ surface: "exactly as old" });
  clock.advance(10 * DAY_MS);
  const [fresh = ""] = await capture({ surface: "new", occurred_at: "2019-03-01" });
  await ingest();
  const leading = ingester({ days: 10, projects: {} });
  await leading.drain(DRAIN);
  expect(await kept([old, exact, fresh])).toEqual([exact, fresh]);
  const store = await bench.openSqlite();
  expect((await store.lookup([old])).get(old)).toMatchObject({
    state: "forgotten",
    reason: "retention",
  });
  await store.close();
  await leading.stop();
  // Without its first letter: the index leaves out what a term shares with the one before it.
  expect(filesWith(bench.home, "qmark")).toEqual([]);
  expect(bench.events.named("retention_applied")).toEqual([{ count: 1, orders: 1 }]);
  expect(bench.reports.at(-1)?.totals.expired).toBe(1);
});

it("C3: a project's own days count for it instead, and 0 keeps it for ever", async () => {
  const { clock, ingester, capture, ingest, kept } = world();
  const projects = ["short", "ever", "other", "__proto__"];
  const ids = await capture(...projects.map((project) => ({ surface: "text", project })), {
    surface: "without a project",
  });
  clock.advance(5 * DAY_MS);
  await ingest();
  const [short = "", ever = "", other = "", proto = "", none = ""] = ids;
  const own: Record<string, number> = { short: 3, ever: 0 };
  await ingester({ days: 0, projects: own }).drain(DRAIN);
  expect(await kept(ids)).toEqual([ever, other, proto, none]);
  await ingester({ days: 10, projects: { ...own, "": 4 } }).drain(DRAIN);
  expect(await kept(ids)).toEqual([ever, other, proto]);
  await ingester({ days: 4, projects: own }).drain(DRAIN);
  expect(await kept(ids)).toEqual([ever]);
  expect([short, none]).not.toContain(ever);
});

it.each<[string, RetentionSettings | undefined]>([
  ["by default", undefined],
  ["with days of 0", { days: 0, projects: {} }],
  ["with projects of 0", { days: 0, projects: { p: 0 } }],
])("C3: nothing is ever forgotten %s", async (_, retention) => {
  const { clock, bench, ingester, capture, ingest, kept } = world();
  const ids = await capture({ surface: "one" }, { surface: "two", project: "p" });
  await ingest();
  const leading = ingester(retention);
  for (let year = 0; year < 3; year++) {
    clock.advance(20 * 365 * DAY_MS);
    await leading.drain(DRAIN);
  }
  expect(await kept(ids)).toEqual(ids);
  expect(existsSync(bench.layout.forgetDir)).toBe(false);
});

it("C3: who leads looks at its start and then every hour", async () => {
  const { clock, bench, ingester, capture, ingest, kept } = world();
  const ids = await capture({ surface: "a" });
  clock.advance(DAY_MS - 10 * 60_000);
  await ingest();
  const leading = ingester({ days: 1, projects: {} });
  await leading.drain(DRAIN);
  clock.advance(RETENTION_LOOK_MS - 1);
  await leading.drain(DRAIN);
  expect(await kept(ids)).toEqual(ids);
  clock.advance(1);
  await leading.drain(DRAIN);
  expect(await kept(ids)).toEqual([]);
  expect(bench.events.named("retention_applied")).toHaveLength(1);
});

it("C3: a first run over many records is made of orders of 200, and captures go in between", async () => {
  const { clock, bench, ingester, ingest, kept } = world();
  const ids = await bench.appendMany(1_250);
  await ingest();
  clock.advance(2 * DAY_MS);
  const sizes: number[] = [];
  const late: string[] = [];
  const leading = ingester(
    { days: 1, projects: {} },
    {
      openStore: async () => {
        const store = await openIngestStore(bench.storeFile, bench.layout, bench.events);
        const scrub = store.scrub.bind(store);
        return Object.assign(store, {
          scrub: async (options: Parameters<typeof scrub>[0]) => {
            for (const request of listOrders(nodeDurableFsSync, bench.layout.forgetDir)) {
              const order = readOrder(nodeDurableFsSync, bench.layout.forgetDir, request);
              if (typeof order === "object") sizes.push(order.ulids.length);
            }
            late.push(...(await bench.append(`late ${late.length}`)));
            return scrub(options);
          },
        });
      },
    },
  );
  await leading.drain(DRAIN);
  expect(sizes).toEqual([200, 200, 200, 200, 200, 200, 50]);
  expect(await kept(ids)).toEqual([]);
  expect(await kept(late)).toEqual(late);
  expect(late).toHaveLength(2);
  expect(bench.events.named("retention_applied")).toEqual([
    { count: 1_000, orders: 5 },
    { count: 250, orders: 2 },
  ]);
  // The first of them was ingested before the second round began.
  const names = bench.events.all.map(({ event }) => event);
  const rounds = names.flatMap((name, at) => (name === "retention_applied" ? [at] : []));
  expect(names.slice(rounds[0], rounds[1])).toContain("capture_ingested");
  await leading.stop();
});
