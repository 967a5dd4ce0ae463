import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { pendingPath, queueLayout, tempPath } from "../../src/queue/layout.ts";
import { keepReserve } from "../../src/queue/reserve.ts";
import { ROUNDS_MAX, SAMPLED_COUNT, SpoolMeter } from "../../src/queue/spool-meter.ts";
import { usedBytes } from "../../src/queue/spool-usage.ts";
import { faultyFs } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOUR = "20260301-09";
const EARLIER = "20260301-08";
const ulidOf = (n: number) => `01J${String(n).padStart(23, "0")}`;
const segmentOf = (n: number) => `${ulidOf(n)}-${ulidOf(n)}-1-0123456789ab.ndjson.gz`;

function scene(fs: DurableFs = nodeDurableFs) {
  const layout = queueLayout(join(freshDirectory(), "queue"));
  ensureQueueDirectories(nodeDurableFsSync, layout);
  const clock = new ManualClock();
  const put = (path: string, bytes: number) => writeFileSync(path, Buffer.alloc(bytes));
  return {
    layout,
    clock,
    put,
    meter: new SpoolMeter({ fs, layout, clock }),
    pending: (n: number, bytes: number) => put(pendingPath(layout, ulidOf(n)), bytes),
    done: (hour: string, bytes: number) => put(join(layout.doneDir, `${hour}-a.ndjson.gz`), bytes),
    spilled: (n: number, bytes: number) => put(join(layout.overflowDir, segmentOf(n)), bytes),
  };
}

describe("P1: what the quota counts", () => {
  it("P1: counts pending envelopes, segments and done files, each in its place", async () => {
    const { meter, pending, spilled, done, clock } = scene();
    pending(1, 100);
    pending(2, 20);
    spilled(3, 4_000);
    done(HOUR, 500);
    done(EARLIER, 6);
    clock.advance(7);
    const { usage, pendingUlids } = await meter.measure();
    expect(usage).toMatchObject({
      atMs: 7,
      pendingBytes: 120,
      pendingCount: 2,
      spilledBytes: 4_000,
      doneBytes: 506,
      trimmableBytes: 6,
      tempBytes: 0,
      quarantineBytes: 0,
    });
    expect(usedBytes(usage)).toBe(4_626);
    expect([0, 1, 2, 3].filter((n) => pendingUlids.has(ulidOf(n)))).toEqual([1, 2]);
  });

  it("P1: reports temp files and the quarantine apart", async () => {
    const { meter, put, layout } = scene();
    const { dir, doneDir, overflowDir, ingesterDir, quarantineDir } = layout;
    put(tempPath(layout, ulidOf(1)), 1);
    put(join(doneDir, `.tmp-${ulidOf(1)}-0123456789ab`), 20);
    put(join(overflowDir, `.tmp-${ulidOf(1)}-0123456789ab`), 300);
    put(join(ingesterDir, "high-water.123"), 4_000);
    put(join(dir, ".reserve-0"), 50_000);
    put(join(quarantineDir, `pending-${ulidOf(9)}.json`), 7);
    put(join(quarantineDir, `pending-${ulidOf(9)}.reason.json`), 80);
    const { usage } = await meter.measure();
    expect(usage).toMatchObject({ tempBytes: 54_321, quarantineBytes: 87 });
    expect(usedBytes(usage)).toBe(0);
  });

  it("P1: knows the files of the reserve by the names that its maker gives them", async () => {
    const { meter, layout } = scene();
    keepReserve({ fs: nodeDurableFsSync, layout }, () => ({ bytes: 1e12, inodes: 1e9 }));
    expect((await meter.measure()).usage.tempBytes).toBe(65_536);
  });

  it("P1: leaves out ledgers, logs, marks, foreign names and what is no regular file", async () => {
    const { meter, put, layout } = scene();
    put(join(layout.dir, ".ledger-20260301-09"), 10);
    put(join(layout.dir, ".overflow-audit.log"), 10);
    put(join(layout.dir, `pending-${ulidOf(1)}.lock`), 10);
    put(join(layout.dir, "pending-mine.json"), 10);
    put(join(layout.doneDir, "notes.txt"), 10);
    put(join(layout.overflowDir, "notes.txt"), 10);
    put(join(layout.dir, "elsewhere"), 99);
    mkdirSync(pendingPath(layout, ulidOf(2)));
    symlinkSync(join(layout.dir, "elsewhere"), join(layout.doneDir, `${EARLIER}-b.ndjson.gz`));
    const { usage } = await meter.measure();
    expect(usage).toMatchObject({ trimmableBytes: 0, tempBytes: 0, quarantineBytes: 0 });
    expect(usedBytes(usage)).toBe(0);
  });

  it("P1: sees what another process wrote at the next look, with no cache of use", async () => {
    const { meter, pending, spilled, done, layout } = scene();
    pending(1, 100);
    done(EARLIER, 10);
    expect(usedBytes((await meter.measure()).usage)).toBe(110);
    pending(2, 1_000);
    spilled(3, 20_000);
    done(EARLIER, 300_000);
    expect(usedBytes((await meter.measure()).usage)).toBe(321_100);
    rmSync(pendingPath(layout, ulidOf(1)));
    expect(usedBytes((await meter.measure()).usage)).toBe(321_000);
  });

  it("P1: looks at an envelope once, however often it is measured", async () => {
    const { fs, calls } = faultyFs();
    const { meter, pending } = scene(fs);
    pending(1, 100);
    await meter.measure();
    const { usage } = await meter.measure();
    expect(usage.pendingBytes).toBe(100);
    const looks = calls.filter(
      ({ method, args }) => method === "facts" && /pending-/.test(`${args}`),
    );
    expect(looks).toHaveLength(1);
  });

  it("P1: sees an envelope that was gone during one look and is back at the next", async () => {
    let vanish = true;
    const vanishing: DurableFs = {
      ...nodeDurableFs,
      facts: async (path) => {
        if (vanish && path.includes("pending-")) rmSync(path, { force: true });
        return await nodeDurableFs.facts(path);
      },
      names: async (directory) => {
        const names = await nodeDurableFs.names(directory);
        return vanish && directory.endsWith("queue") ? [`pending-${ulidOf(1)}.json`] : names;
      },
    };
    const { meter, pending } = scene(vanishing);
    pending(1, 100);
    expect((await meter.measure()).usage.pendingBytes).toBe(0);
    vanish = false;
    pending(1, 100);
    expect((await meter.measure()).usage.pendingBytes).toBe(100);
  });
});

describe("P1: a file that moves counts once", () => {
  /** Moves a file each time a directory has been listed, as often as there are moves. */
  function moving(ends: string, moves: (() => void)[]): DurableFs {
    return {
      ...nodeDurableFs,
      names: async (directory) => {
        const names = await nodeDurableFs.names(directory);
        if (directory.endsWith(ends)) moves.shift()?.();
        return names;
      },
    };
  }

  it("P1: counting a file twice when it moved", async () => {
    const moves: (() => void)[] = [];
    const { meter, layout, pending, done } = scene(moving("queue", moves));
    pending(1, 100);
    pending(2, 1_000);
    moves.push(() => {
      done(HOUR, 100); // before the archive is looked at, and after its envelope was listed
      rmSync(pendingPath(layout, ulidOf(1)));
    });
    const { usage, pendingUlids } = await meter.measure();
    expect(usage).toMatchObject({ pendingBytes: 1_000, doneBytes: 100, pendingCount: 1 });
    expect([0, 1, 2, 3].filter((n) => pendingUlids.has(ulidOf(n)))).toEqual([1, 2]);
  });

  it("P1: counts a file once whose size was seen before it went to done", async () => {
    const moves: (() => void)[] = [];
    const { meter, layout, pending, done } = scene(moving("overflow", moves));
    pending(1, 100);
    await meter.measure();
    moves.push(() => {
      done(HOUR, 100);
      rmSync(pendingPath(layout, ulidOf(1)));
    });
    expect(usedBytes((await meter.measure()).usage)).toBe(100);
  });

  const WAYS = [
    { way: "pending to done", from: "pending", to: "done" },
    { way: "pending to a segment", from: "pending", to: "spilled" },
    { way: "a segment to done", from: "spilled", to: "done" },
    { way: "pending to done of the last hour", from: "pending", to: "doneBefore" },
  ] as const;

  it.each(WAYS)("P1: counts a file once whose size was seen on its way from $way", async (step) => {
    const move = { now: () => {} };
    const { meter, layout, pending, spilled } = scene({
      ...nodeDurableFs,
      facts: async (path) => {
        const facts = await nodeDurableFs.facts(path);
        if (!/\.(json|gz)$/.test(path)) return facts;
        move.now();
        move.now = () => {};
        return facts;
      },
    });
    const paths = {
      pending: pendingPath(layout, ulidOf(1)),
      spilled: join(layout.overflowDir, segmentOf(1)),
      done: join(layout.doneDir, `${HOUR}-a.ndjson.gz`),
      doneBefore: join(layout.doneDir, `${EARLIER}-a.ndjson.gz`),
    };
    if (step.from === "pending") pending(1, 100);
    else spilled(1, 100);
    move.now = () => renameSync(paths[step.from], paths[step.to]);
    const { usage } = await meter.measure();
    expect(usedBytes(usage)).toBe(100);
    expect(usage.pendingCount).toBe(0);
  });

  it("P1: looks at most three times, and is then too high, never too low", async () => {
    const moves: (() => void)[] = [];
    const { meter, layout, pending, done } = scene(moving("queue", moves));
    for (let n = 1; n <= 10; n++) pending(n, 100);
    let gone = 0;
    for (let n = 1; n <= 10; n++) {
      moves.push(() => {
        gone++;
        done(HOUR, 100 * gone);
        rmSync(pendingPath(layout, ulidOf(n)));
      });
    }
    const { usage } = await meter.measure();
    expect(gone).toBe(ROUNDS_MAX); // one listing a round
    expect(usedBytes(usage)).toBeGreaterThanOrEqual(1_000);
    expect(usedBytes(usage)).toBeLessThanOrEqual(1_100);
  });
});

describe("P1: what the disk has left", () => {
  it("P1: is what the file system says of the queue's directory", async () => {
    const { meter } = scene({
      ...nodeDurableFs,
      space: async () => ({ freeBytes: 5, freeInodes: Number.POSITIVE_INFINITY }),
    });
    const { usage } = await meter.measure();
    expect(usage).toMatchObject({ freeBytes: 5, freeInodes: Number.POSITIVE_INFINITY });
  });

  it("P1: is that of the nearest directory that is there, and nothing is used", async () => {
    const root = freshDirectory();
    const layout = queueLayout(join(root, "not", "yet", "queue"));
    const asked: string[] = [];
    const fs: DurableFs = {
      ...nodeDurableFs,
      space: (path) => {
        asked.push(path);
        return nodeDurableFs.space(path);
      },
    };
    const { usage } = await new SpoolMeter({ fs, layout, clock: new ManualClock() }).measure();
    expect(usedBytes(usage)).toBe(0);
    expect(usage.freeBytes).toBeGreaterThan(0);
    expect(asked.at(-1)).toBe(root);
    expect(existsSync(dirname(layout.dir))).toBe(false);
  });

  it("P1: fails with what keeps it from looking, instead of calling it empty", async () => {
    for (const method of ["names", "facts", "space"] as const) {
      const { fs, fail } = faultyFs();
      const { meter, pending } = scene(fs);
      pending(1, 100);
      fail({ method, errno: "EIO" });
      await expect(meter.measure()).rejects.toMatchObject({ code: "EIO" });
      await expect(meter.estimate()).rejects.toMatchObject({ code: "EIO" });
    }
  });
});

describe("P1: the estimate of a short-lived process", () => {
  it("P1: is exact while little is there", async () => {
    const { meter, pending, spilled, done } = scene();
    pending(1, 100);
    spilled(2, 30);
    done(EARLIER, 4);
    expect(await meter.estimate()).toMatchObject({
      pendingBytes: 100,
      pendingCount: 1,
      spilledBytes: 30,
      doneBytes: 4,
      trimmableBytes: 4,
    });
  });

  it("P1: looks at 128 envelopes at most, spread over all of them", async () => {
    const { fs, calls } = faultyFs();
    const { meter, pending } = scene(fs);
    const count = SAMPLED_COUNT * 2 + 88;
    for (let n = 0; n < count; n++) pending(n, n < count / 2 ? 10 : 30);
    const { pendingBytes, pendingCount } = await meter.estimate();
    expect(pendingCount).toBe(count);
    expect(Math.abs(pendingBytes / (count * 20) - 1)).toBeLessThan(0.02);
    expect(calls.filter(({ method }) => method === "facts")).toHaveLength(SAMPLED_COUNT);
  });
});
