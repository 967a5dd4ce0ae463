import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { ensureQueueDirectories } from "../../src/queue/directories.ts";
import { HighWater, newestIds } from "../../src/queue/high-water.ts";
import { pendingPath, type QueueLayout, queueLayout } from "../../src/queue/layout.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const OLDER = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
const NEWER = "01JQ7Z8X9ZABCDEFGHJKMNPQRS";
/** The last id there can be, in the year 10889. */
const LAST = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
let layout: QueueLayout;

beforeEach(() => {
  layout = queueLayout(join(freshDirectory(), "queue"));
  ensureQueueDirectories(nodeDurableFsSync, layout);
});

const newHighWater = () => new HighWater(nodeDurableFsSync, layout);
const recorded = () => readFileSync(layout.highWaterFile, "utf8");

describe("the high-water id", () => {
  it("Q6: is never set back, also not by a process that has just started", () => {
    newHighWater().record([NEWER]);
    newHighWater().record([OLDER]);
    expect(recorded()).toBe(NEWER);
  });

  it("Q6: is written anew where it is damaged, far ahead, or no file", () => {
    writeFileSync(layout.highWaterFile, "damaged");
    newHighWater().record([OLDER]);
    expect(recorded()).toBe(OLDER);
    writeFileSync(layout.highWaterFile, LAST);
    newHighWater().record([OLDER]);
    expect(recorded()).toBe(OLDER);
  });

  it("X1: a symlink in its place is replaced; what it points to is not touched", () => {
    const outside = join(layout.dir, "..", "outside");
    writeFileSync(outside, "precious");
    symlinkSync(outside, layout.highWaterFile);
    newHighWater().record([NEWER]);
    expect(readFileSync(outside, "utf8")).toBe("precious");
    expect(recorded()).toBe(NEWER);
  });

  it("Q6: an id far ahead is not recorded and does not hide the newest credible one", async () => {
    newHighWater().record([OLDER, LAST]);
    expect(recorded()).toBe(OLDER);
    for (const ulid of [NEWER, LAST]) writeFileSync(join(layout.dir, `pending-${ulid}.json`), "");
    expect(await newestIds(nodeDurableFs, layout, Date.now())).toEqual([OLDER, NEWER, LAST]);
    writeFileSync(layout.highWaterFile, LAST);
    expect(await newestIds(nodeDurableFs, layout, Date.now())).toEqual([NEWER, LAST]);
  });

  it("Q6: with a far-off id in the queue, ids still continue behind the newest after a step back", async () => {
    const clock = new ManualClock();
    const open = () => new CaptureQueue({ queueDir: layout.dir, clock });
    await open().append({ surface: "somebody chose this id" }, { retryUlid: LAST });
    const { ulid } = await open().append({ surface: "before" });
    clock.step(-3_600_000);
    expect((await open().append({ surface: "after" })).ulid > ulid).toBe(true);
  });

  it("Q6: is on disk before the newest record is handed out", async () => {
    const queue = new CaptureQueue({ queueDir: layout.dir });
    await queue.append({ surface: "a" });
    const { ulid } = await queue.append({ surface: "b" });
    const seen: (string | undefined)[] = [];
    await queue.ingestPending((_record, context) => {
      if (context.ulid === ulid) seen.push(recorded());
    });
    expect(seen).toEqual([ulid]);
  });

  it("Q9: a disk too full to record it keeps back the newest record and no other", async () => {
    const { fs, fail } = faultyFsSync();
    const queue = new CaptureQueue({ queueDir: layout.dir, fsSync: fs });
    for (const surface of ["a", "b", "c"]) await queue.append({ surface });
    const newest = (await queue.listPending()).at(-1)?.ulid;
    fail({ method: "replace", errno: "ENOSPC", pathEnds: "high-water" });
    await expect(queue.ingestPending(() => {})).rejects.toMatchObject({
      code: "ENOSPC",
      ingestedCount: 2,
    });
    expect((await queue.listPending()).map(({ ulid }) => ulid)).toEqual([newest]);
    fail(undefined);
    expect(await queue.ingestPending(() => {})).toBe(1);
  });

  it("Q6: ids in quarantine count too: a newest record that was damaged does not let the order slip", async () => {
    const clock = new ManualClock(Date.now());
    const queue = new CaptureQueue({ queueDir: layout.dir, attemptsMax: 1, clock });
    const { ulid } = await queue.append({ surface: "a" });
    writeFileSync(pendingPath(layout, ulid), "damaged");
    await expect(queue.ingestPending(() => {})).rejects.toThrow("pending-");
    expect(await queue.pendingCount()).toBe(0);
    clock.step(-3_600_000);
    const restarted = new CaptureQueue({ queueDir: layout.dir, clock });
    const { ulid: next } = await restarted.append({ surface: "b" });
    expect(next > ulid).toBe(true);
  });

  it("Q6: something at its path that is no file is an error, not a lost order", () => {
    mkdirSync(layout.highWaterFile);
    expect(() => newHighWater().record([OLDER])).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  });
});
