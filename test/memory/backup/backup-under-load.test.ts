import { join } from "node:path";
import { expect, it } from "vitest";
import type { VerifyReport } from "../../../src/memory/verify/report.ts";
import { verify } from "../../../src/memory/verify/verify.ts";
import { nodeDurableFs } from "../../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../../src/queue/capture-queue.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { backUp, ODD_TEXTS, partsFor, restore } from "../../support/backup-scene.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { IngestBench, until } from "../../support/ingest-bench.ts";
import { storedRows } from "../../support/stored-truth.ts";

const POLL_MS = 5;

/** Without the time it took. */
async function verified(home: string): Promise<Omit<VerifyReport, "ms">> {
  const { layout, storeFile, clock } = partsFor(home);
  const store = await openStore({ file: storeFile, readOnly: true });
  try {
    const parts = { fs: nodeDurableFsSync, asyncFs: nodeDurableFs, layout, store, clock };
    const { ms: _ms, ...report } = await verify(parts);
    return report;
  } finally {
    await store.close();
  }
}

/** Everything that a data directory holds once it is drained. */
async function drainedRows(home: string): Promise<Map<string, string>> {
  const bench = new IngestBench();
  const place = partsFor(home);
  const ingester = bench.ingester({
    layout: place.layout,
    openStore: () => openStore({ file: place.storeFile }),
  });
  await ingester.drain({ dueOrNot: true });
  await ingester.stop();
  return new Map((await storedRows(home)).map(({ ulid, surface }) => [ulid, surface]));
}

it("H4: a backup made while records are captured, spilled and ingested holds every one acknowledged before it", async () => {
  const bench = new IngestBench();
  const queue = new CaptureQueue({ queueDir: bench.layout.dir, maxSize: 40 });
  const acknowledged = new Map<string, string>();
  let captures = 0;
  const capture = async () => {
    const surface = `${captures} ${ODD_TEXTS[captures++ % ODD_TEXTS.length]}`;
    acknowledged.set((await queue.append({ surface })).ulid, surface);
  };
  for (let n = 0; n < 120; n++) await capture();
  const ingester = bench.ingester({
    pollMs: POLL_MS,
    batchRecordsMax: 7,
    openStore: () => bench.openSqlite(),
  });
  let isOver = false;
  const load = (async () => {
    while (!isOver) await Promise.all([capture(), capture(), capture()]);
  })();
  ingester.start();
  await until(() => expect(bench.events.named("capture_ingested").length).toBeGreaterThan(0));
  const backups = [];
  for (let n = 0; n < 3; n++) {
    const before = new Map(acknowledged);
    const directory = join(freshDirectory(), "backup");
    const result = await backUp(partsFor(bench.home), directory);
    expect(result.skipped).toEqual([]);
    backups.push({ directory, before });
  }
  const ingestedMeanwhile = bench.events.named("capture_ingested").length;
  isOver = true;
  await load;
  await ingester.stop();
  await queue.close();
  expect(captures).toBeGreaterThan(130);
  expect(ingestedMeanwhile).toBeGreaterThan(1);
  for (const { directory, before } of backups) {
    const home = join(freshDirectory(), "home");
    await restore(partsFor(home), directory);
    expect(await verified(home)).toMatchObject({ ok: true, missing: 0 });
    const rows = await drainedRows(home);
    const lost = [...before].filter(([ulid]) => !rows.has(ulid));
    const altered = [...rows].filter(([ulid, text]) => acknowledged.get(ulid) !== text);
    expect({ lost, altered }).toEqual({ lost: [], altered: [] });
  }
});

it("S7: verify counts the same in a restored data directory as in the one that was backed up", async () => {
  const bench = new IngestBench();
  const queue = new CaptureQueue({ queueDir: bench.layout.dir, maxSize: 8 });
  const key = { idempotency_key: "k" };
  await queue.append({ surface: "said twice", ...key });
  await queue.append({ surface: "said twice", ...key });
  const conflict = await queue.append({ surface: "said otherwise", ...key });
  const ingester = bench.ingester({ openStore: () => bench.openSqlite() });
  await ingester.drain({ dueOrNot: true });
  await ingester.stop();
  for (const text of ODD_TEXTS) await queue.append({ surface: text });
  for (const text of ODD_TEXTS) await queue.append({ surface: `${text} again` });
  await queue.close();
  const before = await verified(bench.home);
  const { duplicates, quarantined, spilled, pending, stored } = before;
  expect(conflict.ulid).toHaveLength(26);
  expect({ duplicates, quarantined, stored, waiting: spilled + pending }).toEqual({
    duplicates: 1,
    quarantined: 1,
    stored: 1,
    waiting: 2 * ODD_TEXTS.length,
  });
  expect(Math.min(spilled, pending)).toBeGreaterThan(0);
  const directory = join(freshDirectory(), "backup");
  await backUp(partsFor(bench.home), directory);
  const home = join(freshDirectory(), "home");
  await restore(partsFor(home), directory);
  expect(await verified(home)).toEqual(before);
});
