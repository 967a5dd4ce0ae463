/** What a look at the spool may cost: which calls it makes when little or nothing has changed. */
import { rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { DurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { pendingPath, queueLayout, tempPath } from "../../src/queue/layout.ts";
import { SpoolMeter } from "../../src/queue/spool-meter.ts";
import { type Call, faultyFs } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const ulidOf = (n: number) => `01J${String(n).padStart(23, "0")}`;

/** @param wallMs when the looks are; a directory's time is the real one */
function scene(wallMs: number, change: (fs: DurableFs) => DurableFs = (fs) => fs) {
  const layout = queueLayout(join(freshDirectory(), "queue"));
  ensureQueueDirectories(nodeDurableFsSync, layout);
  const clock = new ManualClock(wallMs);
  const { fs, calls } = faultyFs();
  const meter = new SpoolMeter({ fs: change(fs), layout, clock });
  const ofPending = ({ method, args: [path] }: Call) =>
    (method === "names" && path === layout.dir) ||
    (method === "facts" && String(path).startsWith(join(layout.dir, "pending-")));
  return {
    ...{ layout, clock, meter },
    pending: (n: number, bytes: number) =>
      writeFileSync(pendingPath(layout, ulidOf(n)), Buffer.alloc(bytes)),
    look: async () => {
      calls.length = 0;
      const { usage, pendingUlids } = await meter.measure();
      const methods = calls.filter(ofPending).map(({ method }) => method);
      return { usage, pendingUlids, methods, callCount: calls.length };
    },
  };
}

/** Directory times of now prove something at this time. */
const settled = () => Date.now() + 60_000;

describe("P1: what a look costs", () => {
  it("P1: an unchanged directory of 5,000 names costs no listing and no look at a file", async () => {
    const { pending, look } = scene(settled());
    for (let n = 0; n < 5_000; n++) pending(n, 1);
    const first = await look();
    expect(first.usage).toMatchObject({ pendingBytes: 5_000, pendingCount: 5_000 });
    const { usage, methods, callCount, pendingUlids } = await look();
    expect(usage).toMatchObject({ pendingBytes: 5_000, pendingCount: 5_000 });
    expect(pendingUlids.has(ulidOf(4_999))).toBe(true);
    expect(methods).toEqual([]);
    expect(callCount).toBeLessThan(10);
  });

  it("P1: one new name costs one listing and one look at a file, and one that left no look", async () => {
    const { pending, look, layout } = scene(settled());
    for (let n = 0; n < 100; n++) pending(n, 1);
    await look();
    pending(100, 1_000);
    const grown = await look();
    expect(grown.usage).toMatchObject({ pendingBytes: 1_100, pendingCount: 101 });
    expect(grown.methods).toEqual(["names", "facts"]);
    rmSync(pendingPath(layout, ulidOf(50)));
    const shrunk = await look();
    expect(shrunk.usage).toMatchObject({ pendingBytes: 1_099, pendingCount: 100 });
    expect(shrunk.pendingUlids.has(ulidOf(50))).toBe(false);
    expect(shrunk.methods).toEqual(["names"]);
  });

  it("P1: a directory's time proves nothing while it is young", async () => {
    const { pending, look, layout } = scene(Date.now());
    pending(1, 1);
    await look();
    const { atime, mtime } = statSync(layout.dir);
    utimesSync(layout.dir, atime, mtime);
    await look();
    pending(2, 20);
    utimesSync(layout.dir, atime, mtime); // as a clock that has not ticked in between
    expect((await look()).usage.pendingBytes).toBe(21);
  });

  it("P1: temp files and the quarantine are looked at every ten seconds, the disk each time", async () => {
    let freeBytes = 5;
    const { look, layout, clock } = scene(settled(), (fs) => ({
      ...fs,
      space: async () => ({ freeBytes, freeInodes: 7 }),
    }));
    await look();
    writeFileSync(tempPath(layout, ulidOf(1)), "1");
    writeFileSync(join(layout.quarantineDir, "mine"), "22");
    freeBytes = 4;
    clock.advance(9_999);
    const soon = { tempBytes: 0, quarantineBytes: 0, freeBytes: 4 };
    expect((await look()).usage).toMatchObject(soon);
    clock.advance(1);
    const then = { tempBytes: 1, quarantineBytes: 2, freeBytes: 4 };
    expect((await look()).usage).toMatchObject(then);
  });
});

describe("P1: what is known of the last look", () => {
  const ORDERS = {
    sorted: (names: string[]) => names.sort(),
    reversed: (names: string[]) => names.sort().reverse(),
    shuffled: (names: string[]) => names.sort((one, other) => (mixed(one) < mixed(other) ? -1 : 1)),
  };
  const mixed = (name: string) => [...name].reverse().join("");

  it.each(Object.keys(ORDERS) as (keyof typeof ORDERS)[])(
    "P1: is right whatever comes and goes in between, with names listed %s",
    async (order) => {
      const { pending, look, layout } = scene(settled(), (fs) => ({
        ...fs,
        names: async (directory) => ORDERS[order](await fs.names(directory)),
      }));
      const there = new Map<number, number>();
      for (let step = 1; step <= 60; step++) {
        const n = (step * 37) % 23; // comes and goes in no order
        if (there.delete(n)) rmSync(pendingPath(layout, ulidOf(n)));
        else {
          there.set(n, step);
          pending(n, step);
        }
        writeFileSync(join(layout.dir, `pending-${ulidOf(n)}.lock`), "");
        if (step % 3 === 0) continue;
        const { usage, pendingUlids } = await look();
        const bytes = [...there.values()].reduce((total, each) => total + each, 0);
        expect(usage).toMatchObject({ pendingBytes: bytes, pendingCount: there.size });
        for (let each = 0; each < 23; each++) {
          expect(pendingUlids.has(ulidOf(each))).toBe(there.has(each));
        }
      }
    },
  );
});
