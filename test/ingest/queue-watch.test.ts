import { mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  LEFT_BEHIND_LOOK_MS,
  QueueWatch,
  RELIST_MS,
  requestFlush,
  SETTLED_MS,
} from "../../src/ingest/queue-watch.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

function bench(fs: DurableFsSync = nodeDurableFsSync) {
  const layout = queueLayout(freshDirectory());
  mkdirSync(layout.ingesterDir);
  mkdirSync(layout.overflowDir);
  const clock = new ManualClock(Date.now());
  stamp(layout.overflowDir, clock.nowMs() - 60_000);
  return { layout, clock, watch: new QueueWatch(fs, layout, clock) };
}

/** Sets the directory's mtime, as the kernel would at that time. */
function stamp(path: string, timeMs: number): void {
  utimesSync(path, timeMs / 1_000, timeMs / 1_000);
}

describe("QueueWatch", () => {
  it("I4: says maybe before the first listing", () => {
    expect(bench().watch.mayHaveChanged()).toBe(true);
  });

  it("I4: sees a name that came within the same clock tick as the listing", () => {
    const { layout, clock, watch } = bench();
    stamp(layout.dir, clock.nowMs());
    watch.listing();
    const listedTick = statSync(layout.dir).mtimeMs;
    writeFileSync(join(layout.dir, "late"), "");
    stamp(layout.dir, clock.nowMs()); // the coarse clock has not moved on
    expect(statSync(layout.dir).mtimeMs).toBe(listedTick);
    expect(watch.mayHaveChanged()).toBe(true);
    clock.advance(SETTLED_MS - 1);
    watch.listing();
    expect(watch.mayHaveChanged()).toBe(true);
  });

  it("I4: saves the listing once the last change is safely in the past, until the next one", () => {
    const { layout, clock, watch } = bench();
    stamp(layout.dir, clock.nowMs());
    clock.advance(SETTLED_MS + 1);
    watch.listing();
    expect(watch.mayHaveChanged()).toBe(false);
    stamp(layout.dir, clock.nowMs());
    expect(watch.mayHaveChanged()).toBe(true);
  });

  it("I4: sees a name that came between the look at the mtime and the listing", () => {
    const { layout, clock, watch } = bench();
    stamp(layout.dir, clock.nowMs() - 60_000);
    watch.listing();
    stamp(layout.dir, clock.nowMs()); // the listing that follows may have it or not
    expect(watch.mayHaveChanged()).toBe(true);
  });

  it("I4: sees a new segment of spilled records", () => {
    const { layout, clock, watch } = bench();
    stamp(layout.dir, clock.nowMs() - 60_000);
    watch.listing();
    expect(watch.mayHaveChanged()).toBe(false);
    stamp(layout.overflowDir, clock.nowMs());
    expect(watch.mayHaveChanged()).toBe(true);
    watch.listing();
    expect(watch.mayHaveChanged()).toBe(true); // within the same tick another may come
    clock.advance(SETTLED_MS + 1);
    watch.listing();
    expect(watch.mayHaveChanged()).toBe(false);
  });

  it("I4: trusts no mtime of the future", () => {
    const { layout, clock, watch } = bench();
    stamp(layout.dir, clock.nowMs() + 3_600_000);
    watch.listing();
    expect(watch.mayHaveChanged()).toBe(true);
  });

  it("I4: lists again now and then, whatever the mtime says, and sooner when records wait", () => {
    const { layout, clock, watch } = bench();
    stamp(layout.dir, clock.nowMs() - 60_000);
    watch.listing();
    clock.advance(LEFT_BEHIND_LOOK_MS + 1);
    expect(watch.mayHaveChanged()).toBe(false);
    watch.leftBehind = true;
    expect(watch.mayHaveChanged()).toBe(true);
    watch.leftBehind = false;
    clock.advance(RELIST_MS);
    expect(watch.mayHaveChanged()).toBe(true);
  });

  it("I8: a directory that can not be looked at is one to list, which then says why", () => {
    const faulty = faultyFsSync();
    const { watch } = bench(faulty.fs);
    watch.listing();
    faulty.fail({ method: "facts", errno: "EIO" });
    expect(watch.mayHaveChanged()).toBe(true);
    expect(watch.flushWanted()).toBe(false);
  });

  it("I4: hears every request to flush once, and none from before its start", () => {
    const { layout, clock, watch } = bench();
    expect(watch.flushWanted()).toBe(false);
    requestFlush(nodeDurableFsSync, layout, clock);
    expect([watch.flushWanted(), watch.flushWanted()]).toEqual([true, false]);
    clock.advance(1_000);
    requestFlush(nodeDurableFsSync, layout, clock);
    expect([watch.flushWanted(), watch.flushWanted()]).toEqual([true, false]);
    expect(new QueueWatch(nodeDurableFsSync, layout, clock).flushWanted()).toBe(false);
    expect(statSync(layout.flushFile).mode & 0o777).toBe(0o600);
  });

  it("I4: a request that can not be written is none the worse", () => {
    const { layout, clock } = bench();
    const faulty = faultyFsSync();
    faulty.fail({ method: "openAppend", errno: "ENOSPC" });
    expect(() => requestFlush(faulty.fs, layout, clock)).not.toThrow();
    expect(() =>
      requestFlush(nodeDurableFsSync, queueLayout(join(layout.dir, "nowhere")), clock),
    ).not.toThrow();
  });
});
