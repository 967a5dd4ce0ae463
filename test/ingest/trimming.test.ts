import { existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { drainHere } from "../../src/ingest/drain-here.ts";
import type { IngesterOptions } from "../../src/ingest/ingester.ts";
import { openIngestStore } from "../../src/ingest/open-ingest-store.ts";
import type { TrimmingParts } from "../../src/ingest/trimmer.ts";
import { trimmingHere } from "../../src/ingest/trimming-here.ts";
import { type Clock, systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { storeAway } from "../support/fake-store.ts";
import { gate, IngestBench, NEVER_MS, until } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { usageOf } from "../support/pressure-facts.ts";

const POLL_MS = 20;
const FOR_EVER = () => 1_000_000;
const DRAIN = { dueOrNot: false };
const NOTHING_FITS = { quotaBytes: 0, softPct: 90, freeBytesMin: 0 };
const neverAsked = () => Promise.reject(new TypeError("nobody asks the store"));
const OLD = "20200101-00-a.ndjson.gz";

/** Records in a real store and in an archive of long ago, which lies aside until a test wants it. */
async function archived(count = 5, clock: Clock = systemClock) {
  const bench = new IngestBench(clock);
  const ulids = await bench.appendMany(count);
  const real = {
    openStore: () => openIngestStore(bench.storeFile, bench.layout, bench.events),
    storeIsThere: () => existsSync(bench.storeFile),
  };
  const first = bench.ingester(real);
  await first.drain(DRAIN);
  await first.stop();
  const aside = join(bench.home, "aside.ndjson.gz");
  const old = join(bench.layout.doneDir, OLD);
  const [written = ""] = readdirSync(bench.layout.doneDir);
  renameSync(join(bench.layout.doneDir, written), aside);
  const parts = trimmingHere(
    { trim: NOTHING_FITS, storeFile: bench.storeFile },
    bench.layout,
    clock,
  ) as TrimmingParts;
  const looks = { count: 0 };
  const trimming: TrimmingParts = {
    ...parts,
    // As the meter finds it, and at no cost that a busy machine could make longer.
    measure: async () => {
      looks.count++;
      const doneBytes = existsSync(old) ? statSync(old).size : 0;
      return usageOf({ doneBytes, trimmableBytes: doneBytes });
    },
  };
  const ingester = (options: Partial<IngesterOptions> = {}) =>
    bench.ingester({ ...real, trimming, ...options });
  /** A look of the trimmer began since now, and the one before it has ended. */
  const lookedAt = async () => {
    const before = looks.count;
    await until(() => expect(looks.count).toBeGreaterThan(before + 1));
  };
  return { bench, ulids, ingester, real, old, lookedAt, arrive: () => renameSync(aside, old) };
}

const idle = (bench: IngestBench) => until(() => expect(bench.reports.at(-1)?.state).toBe("idle"));

describe("P3: trimming depends on no batch", () => {
  it("P3: goes on by the poll alone while the store gets nothing new", async () => {
    const { bench, ingester, old, arrive } = await archived();
    ingester({ pollMs: POLL_MS }).start();
    await idle(bench);
    expect(bench.reports.at(-1)?.trim).toBeNull();
    arrive();
    await until(() => expect(existsSync(old)).toBe(false));
    await until(() => expect(bench.reports.at(-1)?.trim?.bytes).toBeGreaterThan(0));
    expect(bench.reports.at(-1)).toMatchObject({ state: "idle", lastBatch: null });
    expect(bench.events.named("archive_trimmed")).toHaveLength(1);
  });

  it("P3: goes on when asked, with no poll", async () => {
    const { bench, ingester, old, arrive } = await archived();
    const asked = ingester({ pollMs: NEVER_MS });
    asked.start();
    await idle(bench);
    arrive();
    await until(() => {
      asked.trim();
      expect(existsSync(old)).toBe(false);
    });
  });

  it("P3: latching in hard because trimming ran only after an import", async () => {
    const { bench, ingester, old, arrive } = await archived();
    bench.store.before = () => {
      throw storeAway();
    };
    ingester({
      pollMs: POLL_MS,
      random: FOR_EVER,
      openStore: async () => bench.store.asStore(),
    }).start();
    await bench.append("it can not be imported");
    await until(() => expect(bench.reports.at(-1)?.state).toBe("delayed"));
    arrive();
    await until(() => expect(existsSync(old)).toBe(false));
    expect(bench.reports.at(-1)?.state).toBe("delayed");
    expect(bench.pending()).toHaveLength(1);
  });

  it("P3: a batch that arrives while it trims is not forgotten", async () => {
    const { bench, ingester } = await archived();
    const look = gate();
    let step: "begin" | "block" | "blocked" = "begin";
    const measure = async () => {
      if (step === "block") {
        step = "blocked";
        await look.opened;
      }
      throw Object.assign(new Error("EIO: made by a test"), { code: "EIO" });
    };
    const trimming = { ...NOTHING_FITS, measure, openReader: neverAsked, storeIsThere: () => true };
    const busy = ingester({ pollMs: NEVER_MS, trimming });
    busy.start();
    await idle(bench);
    step = "block";
    await until(() => {
      busy.trim();
      expect(step).toBe("blocked");
    });
    await bench.append("meanwhile");
    busy.wake();
    expect(bench.reports.at(-1)?.state).toBe("idle");
    look.open();
    await until(() => expect(bench.pending()).toEqual([]));
  });

  it("P3: a drain looks once more at its end, however short it was", async () => {
    const { bench, ingester, old, arrive } = await archived(5, new ManualClock());
    arrive();
    const measure = async () => usageOf({ doneBytes: bench.pending().length === 0 ? 1e6 : 0 });
    const trimming = trimmingHere(
      { trim: NOTHING_FITS, storeFile: bench.storeFile },
      bench.layout,
      bench.clock,
    ) as TrimmingParts;
    await bench.append("one more");
    await ingester({ trimming: { ...trimming, measure } }).drain(DRAIN);
    expect(existsSync(old)).toBe(false);
  });

  it("P3: memspool drain trims at its end", async () => {
    const { bench, old, arrive } = await archived();
    arrive();
    await bench.append("one more");
    await drainHere(
      {
        queueDir: bench.layout.dir,
        storeFile: bench.storeFile,
        attemptsMax: 3,
        batchRecordsMax: 500,
        pollMs: NEVER_MS,
        trim: NOTHING_FITS,
        layout: bench.layout,
        clock: systemClock,
        events: bench.events,
        fs: nodeDurableFsSync,
        memory: { flush: () => Promise.reject(new Error("nobody else leads")) },
      },
      {},
    );
    expect(existsSync(old)).toBe(false);
    expect(bench.pending()).toEqual([]);
  });
});

describe("P3: without the store that has the records nothing is trimmed", () => {
  it("P3: not when it was deleted under a connection that still has it open", async () => {
    const { bench, ingester, old, lookedAt, arrive } = await archived();
    ingester({ pollMs: POLL_MS }).start();
    await bench.append("keeps the writer's connection open");
    await until(() => expect(bench.pending()).toEqual([]));
    for (const suffix of ["", "-wal", "-shm"]) rmSync(bench.storeFile + suffix, { force: true });
    arrive();
    await lookedAt();
    expect(existsSync(old)).toBe(true);
    expect(existsSync(bench.storeFile)).toBe(false);
  });

  it("P3: not when another store has taken its place: the file is held back and told once", async () => {
    const { bench, ulids, ingester, old, lookedAt, arrive } = await archived();
    ingester({ pollMs: POLL_MS }).start();
    await bench.append("keeps the writer's connection open");
    await until(() => expect(bench.pending()).toEqual([]));
    for (const suffix of ["", "-wal", "-shm"]) rmSync(bench.storeFile + suffix, { force: true });
    await (await bench.openSqlite()).close();
    arrive();
    await until(() => expect(bench.events.named("trim_held_back")).toHaveLength(1));
    await lookedAt();
    expect(existsSync(old)).toBe(true);
    expect(bench.events.named("trim_held_back")).toEqual([
      { files: 1, missing: ulids.length, unreadable: 0 },
    ]);
    await until(() => expect(bench.reports.at(-1)?.trim?.heldBack).toBeGreaterThan(0));
  });

  it("P3: not when it is no database any more", async () => {
    const { bench, ingester, old, lookedAt, arrive } = await archived();
    ingester({ pollMs: POLL_MS }).start();
    await idle(bench);
    for (const suffix of ["-wal", "-shm"]) rmSync(bench.storeFile + suffix, { force: true });
    writeFileSync(bench.storeFile, "not a database ".repeat(1_000));
    arrive();
    await lookedAt();
    expect(existsSync(old)).toBe(true);
    expect(bench.events.named("archive_trimmed")).toEqual([]);
  });
});
