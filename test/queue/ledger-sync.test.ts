import { appendFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { utcHour } from "../../src/queue/done-archive.ts";
import { ledgerPath, type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import { LedgerSync, oldestAppendMs } from "../../src/queue/ledger-sync.ts";
import { type Fault, type Faulty, faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { IngestBench } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOUR_MS = 3_600_000;
const LINE = "01JQ7Z8X9YABCDEFGHJKMNPQRS\n";

let layout: QueueLayout;
let clock: ManualClock;
let faulty: Faulty<typeof nodeDurableFsSync>;
let ledger: LedgerSync;

beforeEach(() => {
  layout = queueLayout(freshDirectory());
  ensureQueueDirectories(nodeDurableFsSync, layout);
  clock = new ManualClock();
  faulty = faultyFsSync();
  ledger = new LedgerSync(faulty.fs, layout, clock);
});

const pathOf = (atMs: number) => ledgerPath(layout, utcHour(atMs));
const note = (atMs: number) => appendFileSync(pathOf(atMs), LINE);

/** What was fsynced since the last call: paths, in order. */
function synced(): string[] {
  const paths = new Map<unknown, string>();
  const found: string[] = [];
  let opened = "";
  for (const { method, args } of faulty.calls) {
    if (method === "openLog" || method === "openDirectory") opened = String(args[0]);
    if (method === "fsync") found.push(paths.get(args[0]) ?? opened);
  }
  faulty.calls.length = 0;
  return found;
}

describe("LedgerSync", () => {
  it("V1: syncs a new ledger and its name, then only what grew", () => {
    note(clock.nowMs());
    ledger.sync(clock.nowMs());
    expect(synced()).toEqual([pathOf(clock.nowMs()), layout.dir]);
    ledger.sync(clock.nowMs());
    expect(faulty.methods()).toEqual(["facts"]);
    expect(synced()).toEqual([]);
    note(clock.nowMs());
    ledger.sync(clock.nowMs());
    expect(synced()).toEqual([pathOf(clock.nowMs())]);
  });

  it("V1: takes every hour since the oldest record, and none before it", () => {
    const now = clock.nowMs();
    for (const back of [0, 1, 2, 3]) note(now - back * HOUR_MS);
    ledger.sync(now - 2 * HOUR_MS);
    const want = [2, 1, 0].map((back) => pathOf(now - back * HOUR_MS));
    expect(synced()).toEqual([...want, layout.dir]);
  });

  it("V1: a clock that stepped back since, or an old record, leaves no hour out", () => {
    const now = clock.nowMs();
    const hours = [now - 100 * HOUR_MS, now - HOUR_MS, now];
    for (const atMs of hours) note(atMs);
    writeFileSync(`${layout.dir}/.ledger-not-an-hour`, "");
    clock.step(-2 * HOUR_MS);
    ledger.sync(now);
    expect(synced()).toEqual([pathOf(hours[1] as number), pathOf(now), layout.dir]);
    ledger.sync(hours[0] as number);
    expect(synced()).toEqual([pathOf(hours[0] as number), layout.dir]);
  });

  it("V1: a ledger that another file took the place of is new", () => {
    note(clock.nowMs());
    ledger.sync(clock.nowMs());
    renameSync(pathOf(clock.nowMs()), `${pathOf(clock.nowMs())}.old`);
    note(clock.nowMs());
    synced();
    ledger.sync(clock.nowMs());
    expect(synced()).toEqual([pathOf(clock.nowMs()), layout.dir]);
  });

  it.each([
    ["no ledger", () => {}],
    ["a directory", (path: string) => mkdirSync(path)],
    ["a symlink", (path: string) => symlinkSync("/etc/hostname", path)],
  ])("V1: %s at the hour's name holds up nothing", (_, make) => {
    make(pathOf(clock.nowMs()));
    expect(() => ledger.sync(clock.nowMs())).not.toThrow();
    expect(synced()).toEqual([]);
  });

  it.each<[string, Fault]>([
    ["the look", { method: "facts", errno: "EIO" }],
    ["the opening", { method: "openLog", errno: "EACCES" }],
    ["its fsync", { method: "fsync", errno: "EIO", nth: 1 }],
    ["the directory's fsync", { method: "fsync", errno: "EIO", nth: 2 }],
  ])("V1: throws when %s fails, and syncs it all the next time", (_, fault) => {
    note(clock.nowMs());
    faulty.fail(fault);
    expect(() => ledger.sync(clock.nowMs())).toThrow(fault.errno);
    faulty.fail(undefined);
    synced();
    ledger.sync(clock.nowMs());
    const nameOnly = fault.nth === 2;
    expect(synced()).toEqual([...(nameOnly ? [] : [pathOf(clock.nowMs())]), layout.dir]);
  });

  it("V1: the oldest of a batch is by its envelope's time", () => {
    const at = ["2026-03-01T09:30:00.000Z", "2026-03-01T04:00:00.000Z", "2026-03-01T10:00:00.000Z"];
    const oldestMs = oldestAppendMs(at.map((appendedAt) => ({ appendedAt })));
    expect(new Date(oldestMs).toISOString()).toBe(at[1]);
  });
});

describe("the ledger and what leaves the queue", () => {
  it("V1: the ingester syncs it before the first unlink of a batch, and unlinks nothing if it can not", async () => {
    const bench = new IngestBench(new ManualClock(Date.now()));
    const ids = await bench.appendMany(2);
    const path = ledgerPath(bench.layout, utcHour(bench.clock.nowMs()));
    appendFileSync(path, LINE);
    const { fs, fail, calls } = faultyFsSync();
    const ingester = bench.ingester({ fs });
    fail({ method: "openLog", errno: "EIO" });
    await expect(ingester.drain({ dueOrNot: false })).rejects.toThrow("EIO");
    expect(bench.pending()).toEqual(ids);
    fail(undefined);
    calls.length = 0;
    await ingester.drain({ dueOrNot: false });
    const steps = calls.flatMap(({ method, args }) => {
      if (method === "openLog" && args[0] === path) return ["ledger"];
      if (method === "unlink" && /pending-.*json$/.test(String(args[0]))) return ["unlink"];
      if (method === "replace" && args[0] === bench.layout.highWaterFile) return ["high-water"];
      return [];
    });
    expect(steps).toEqual(["ledger", "high-water", "unlink", "unlink"]);
    expect(bench.pending()).toEqual([]);
  });

  it("V1: ingestPending syncs it before each unlink, as often as it grew", async () => {
    const own = new ManualClock(Date.now());
    const { fs, fail, calls } = faultyFsSync();
    const queue = new CaptureQueue({ queueDir: layout.dir, clock: own, fsSync: fs });
    for (const surface of ["a", "b", "c"]) await queue.append({ surface });
    const path = ledgerPath(layout, utcHour(own.nowMs()));
    appendFileSync(path, LINE);
    fail({ method: "openLog", errno: "EIO", pathEnds: path });
    await expect(queue.ingestPending(() => {})).rejects.toMatchObject({ ingestedCount: 0 });
    expect(await queue.pendingCount()).toBe(3);
    fail(undefined);
    calls.length = 0;
    const handled: string[] = [];
    const count = await queue.ingestPending(({ surface }) => {
      handled.push(surface);
      if (surface === "c") appendFileSync(path, LINE); // a receipt that was under way
    });
    expect([count, handled]).toEqual([3, ["a", "b", "c"]]);
    const steps = calls.flatMap(({ method, args }) => {
      if (method === "openLog" && args[0] === path) return ["ledger"];
      return method === "unlink" && String(args[0]).endsWith(".json") ? ["unlink"] : [];
    });
    expect(steps).toEqual(["ledger", "unlink", "unlink", "ledger", "unlink"]);
    await queue.close();
  });
});
