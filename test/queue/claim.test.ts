import { readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { Claims, MARK_TOUCH_MS } from "../../src/queue/claim.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { markPath, type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { nextAttempt } from "../../src/queue/retry-schedule.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const ULID = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
let layout: QueueLayout;
let clock: ManualClock;

beforeEach(() => {
  layout = queueLayout(join(freshDirectory(), "queue"));
  clock = new ManualClock(Date.now());
  ensureQueueDirectories(nodeDurableFsSync, layout);
});

afterEach(() => {
  vi.useRealTimers();
});

/** As another process sees the marks. */
const claims = () => new Claims(nodeDurableFsSync, layout, clock, newMarkMemory());

function age(ms: number): void {
  const seconds = (clock.nowMs() - ms) / 1_000;
  utimesSync(markPath(layout, ULID), seconds, seconds);
}

it("Q8: a mark is touched while its handler runs, and only then", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const queue = new CaptureQueue({ queueDir: layout.dir, clock });
  const { ulid } = await queue.append({ surface: "x" });
  const path = markPath(layout, ulid);
  await queue.ingestPending(() => {
    for (let n = 1; n <= 4; n++) {
      clock.advance(MARK_TOUCH_MS);
      vi.advanceTimersByTime(MARK_TOUCH_MS);
      expect(Math.abs(statSync(path).mtimeMs - clock.nowMs())).toBeLessThan(2);
    }
    expect(claims().take(ulid)).toBeUndefined();
  });
  expect(vi.getTimerCount()).toBe(0);
});

it("Q8: a claim that was taken over while it stalled neither touches nor removes its successor's mark", () => {
  const stalled = claims().take(ULID);
  age(20_000);
  expect(claims().take(ULID)).toBeDefined();
  const before = statSync(markPath(layout, ULID));
  stalled?.touch();
  stalled?.release();
  const after = statSync(markPath(layout, ULID));
  expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
});

it("Q8: a claim that was taken over and then fails leaves its successor's mark to it", () => {
  const own = claims();
  const stalled = own.take(ULID);
  age(20_000);
  expect(claims().take(ULID)).toBeDefined();
  const before = statSync(markPath(layout, ULID));
  stalled?.fail({ attempts: 1, faults: 0 });
  const after = statSync(markPath(layout, ULID));
  expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
  expect(own.take(ULID)).toBeUndefined();
});

it("Q8: a mark that can not be touched does not end the process", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const { fs, fail } = faultyFsSync();
  const queue = new CaptureQueue({ queueDir: layout.dir, clock, fsSync: fs });
  await queue.append({ surface: "x" });
  const count = queue.ingestPending(() => {
    for (const errno of ["ENOTDIR", "EPERM", "EMFILE", "ENOSPC"]) {
      fail({ method: "touch", errno });
      expect(() => vi.advanceTimersByTime(MARK_TOUCH_MS)).not.toThrow();
    }
  });
  expect(await count).toBe(1);
});

it("Q8: a mark that was touched between two looks is put back", () => {
  const holder = claims().take(ULID);
  clock.advance(20_000);
  const racing = {
    ...nodeDurableFsSync,
    rename: (from: string, to: string) => {
      holder?.touch(); // the holder wakes just before the contender's rename
      nodeDurableFsSync.rename(from, to);
    },
  };
  expect(new Claims(racing, layout, clock, newMarkMemory()).take(ULID)).toBeUndefined();
  expect(JSON.parse(readFileSync(markPath(layout, ULID), "utf8")).pid).toBe(process.pid);
});

it("Q9: attempts are carried over a take-over, and a torn or foreign mark counts none", () => {
  claims().take(ULID)?.fail({ attempts: 2, faults: 1, code: "ENVELOPE_NOT_JSON" });
  age(20_000);
  expect(claims().take(ULID)?.state).toMatchObject({ attempts: 2, faults: 1 });
  for (const content of ["{", "null", '{"attempts":-1,"faults":"x"}', "x".repeat(5_000)]) {
    writeFileSync(markPath(layout, ULID), content);
    age(20_000);
    expect(claims().take(ULID)?.state).toMatchObject({ attempts: 0, faults: 0 });
  }
});

it("Q9: a wait that a wrong clock wrote does not keep a record for ever", () => {
  const state = { attempts: 2, faults: 2, retryAtMs: clock.nowMs() + 365 * 86_400_000 };
  claims().take(ULID)?.fail(state);
  age(20_000);
  expect(claims().take(ULID)).toBeDefined();
});

it("Q9: a full disk does not keep a failure from being remembered in this process", () => {
  const { fs, fail } = faultyFsSync();
  const own = new Claims(fs, layout, clock);
  const claim = own.take(ULID);
  fail({ method: "replace", errno: "ENOSPC" });
  claim?.fail({ attempts: 1, faults: 1 });
  expect(own.take(ULID)?.state).toEqual({ attempts: 1, faults: 1 });
});

it("Q9: retry at once, then after 60 s, then after 120 s each, until the attempts are spent", () => {
  const waits = (max: number) => {
    const out: (number | string)[] = [];
    for (let failures = 1; failures <= max; failures++) {
      const next = nextAttempt(failures, max);
      out.push(next.kind === "retry" ? next.waitMs : next.kind);
    }
    return out;
  };
  expect(waits(3)).toEqual([0, 60_000, "quarantine"]);
  expect(waits(5)).toEqual([0, 60_000, 120_000, 120_000, "quarantine"]);
});
