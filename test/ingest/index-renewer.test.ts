import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { openIngestStore } from "../../src/ingest/open-ingest-store.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { placeOrder } from "../../src/queue/forget-order.ts";
import { generateUlid } from "../../src/record/record-id.ts";
import type { MemoryStore } from "../../src/store/memory-store.ts";
import { renewIndex } from "../../src/store/sqlite/renew-index.ts";
import { ageIndex, expectRenewed, expectSound, watchRenewals } from "../store/aged-index.ts";
import { connect } from "../store/open-sqlite.ts";
import { IngestBench, until } from "../support/ingest-bench.ts";

const DRAIN = { dueOrNot: false };
const surfaceOf = (n: number) => `The engineer was walking through the gardens, round ${n}`;

async function agedBench(count: number): Promise<{ bench: IngestBench; ids: string[] }> {
  const bench = new IngestBench();
  const ids = await capture(bench, count);
  const ingester = bench.ingester({ openStore: () => bench.openSqlite() });
  await ingester.drain(DRAIN);
  await ingester.stop();
  const connection = connect(bench.storeFile);
  connection.write(() => ageIndex(connection.db));
  return { bench, ids };
}

function capture(bench: IngestBench, count: number, from = 0): Promise<string[]> {
  return bench.append(...Array.from({ length: count }, (_, n) => surfaceOf(from + n)));
}

/** An ingester whose store makes the index anew a few rows a step, and does what a test wants before each. */
function renewing(bench: IngestBench, before: (step: number) => Promise<void> | void = () => {}) {
  let steps = 0;
  const openStore = async (): Promise<MemoryStore> => {
    const store = await openIngestStore(bench.storeFile, bench.layout, bench.events);
    const connection = connect(bench.storeFile);
    const renewFew = async () => {
      await before(++steps);
      return renewIndex(connection, { rowsMax: 4 });
    };
    return new Proxy(store, {
      get(target, name) {
        if (name === "renewIndex") return renewFew;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  return bench.ingester({ openStore, storeIsThere: () => existsSync(bench.storeFile) });
}

it("S4: a running ingester makes an old index anew by itself, and tells when it begins and ends", async () => {
  const { bench } = await agedBench(10);
  const openStore = () => openIngestStore(bench.storeFile, bench.layout, bench.events);
  const ingester = bench.ingester({ openStore, storeIsThere: () => existsSync(bench.storeFile) });
  ingester.start();
  await until(() => expect(bench.events.named("index_renewed")).toHaveLength(1));
  await ingester.stop();
  expect(bench.events.named("index_renewal_begun")).toEqual([{ from: 1, to: 2, left: 0 }]);
  expectRenewed(connect(bench.storeFile));
});

it("S4: records that arrive meanwhile are ingested between two steps, not after the last", async () => {
  const { bench } = await agedBench(20);
  const reader = await bench.openSqlite();
  const late: string[] = [];
  const stored: number[] = [];
  const ingester = renewing(bench, async (step) => {
    stored.push((await reader.lookup(late)).size);
    late.push(...(await capture(bench, 1, 100 + step)));
  });
  await ingester.drain(DRAIN);
  await ingester.stop();
  // Each is in the store when the next step begins.
  expect(stored.slice(0, 5)).toEqual([0, 1, 2, 3, 4]);
  expect(bench.pending()).toEqual([]);
  const connection = connect(bench.storeFile);
  expectRenewed(connection);
  await expectSound(reader);
  expect((await reader.stats()).records).toBe(20 + late.length);
  expect(bench.events.named("index_renewal_begun")).toEqual([{ from: 1, to: 2, left: 16 }]);
  expect(bench.events.named("index_renewed")).toHaveLength(1);
  await reader.close();
});

it("S6: an order to forget is carried out between two steps", async () => {
  const { bench, ids } = await agedBench(20);
  const forgotten = [ids[1] ?? "", ids[15] ?? ""];
  const reader = await bench.openSqlite();
  const ingester = renewing(bench, async (step) => {
    if (step === 2) {
      const at = new Date().toISOString();
      const order = { request: generateUlid(), at, reason: "requested", ulids: forgotten };
      placeOrder(nodeDurableFsSync, bench.layout, order);
    }
    if (step === 4) expect((await reader.stats()).records).toBe(18);
  });
  await ingester.drain(DRAIN);
  await ingester.stop();
  expect(bench.events.named("records_forgotten")).toMatchObject([{ count: 2 }]);
  expectRenewed(connect(bench.storeFile));
  await expectSound(reader);
  await reader.close();
});

it("I3: two ingesters at once do each row once", async () => {
  const { bench } = await agedBench(30);
  await capture(bench, 10, 50);
  const watched = connect(bench.storeFile);
  // Of whichever connection: a trigger of the database itself.
  watched.db.exec(`CREATE TABLE renewed (id INTEGER);
    CREATE TRIGGER note_renewal AFTER UPDATE OF term_count ON records
    BEGIN INSERT INTO renewed VALUES (new.id); END`);
  const pair = [renewing(bench), renewing(bench)];
  await Promise.all(pair.map((ingester) => ingester.drain(DRAIN)));
  await Promise.all(pair.map((ingester) => ingester.stop()));
  const renewed = watched.db.prepare("SELECT id FROM renewed ORDER BY id").all();
  expect(renewed.map(({ id }) => id).slice(0, 30)).toEqual(
    Array.from({ length: 30 }, (_, n) => n + 1),
  );
  expectRenewed(watched);
});

it("S4: stopped between two steps, the next ingester goes on behind them", async () => {
  const { bench } = await agedBench(20);
  let stopping: Promise<void> | undefined;
  const first = renewing(bench, (step) => {
    if (step === 2) stopping = first.stop();
  });
  await first.drain(DRAIN);
  await stopping;
  const connection = connect(bench.storeFile);
  const seen = watchRenewals(connection);
  expect(renewIndex(connection, { rowsMax: 4 })).toMatchObject({ state: "under_way", left: 8 });
  expect(seen()).toEqual([9, 10, 11, 12]);
  await renewing(bench).drain(DRAIN);
  expect(bench.events.named("index_renewal_begun").map(({ left }) => left)).toEqual([16, 4]);
  expectRenewed(connection);
});

it("I8: no store is made only to look at its index", async () => {
  const bench = new IngestBench();
  const openStore = () => openIngestStore(bench.storeFile, bench.layout, bench.events);
  const ingester = bench.ingester({ openStore, storeIsThere: () => existsSync(bench.storeFile) });
  await ingester.drain(DRAIN);
  expect(existsSync(bench.storeFile)).toBe(false);
  await capture(bench, 1);
  await ingester.drain(DRAIN);
  expect(bench.events.named("index_renewed")).toEqual([]);
});
