import { readdirSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/platform/clock.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { AuditLog } from "../../src/queue/audit-log.ts";
import { CaptureQueue, type CaptureQueueOptions } from "../../src/queue/capture-queue.ts";
import { markPath, pendingPath, type QueueLayout } from "../../src/queue/layout.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { recover } from "../../src/queue/recover.ts";
import { encodeSegment, newSegmentName, segmentPath } from "../../src/queue/spill-segment.ts";
import { faultyFs } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

function newQueue(options: Partial<CaptureQueueOptions> = {}): CaptureQueue {
  const queueDir = join(freshDirectory(), "queue");
  return new CaptureQueue({ queueDir, markMemory: newMarkMemory(), ...options });
}

/** What a start in another process finds and finishes. */
function start(layout: QueueLayout): number {
  const events = new RecordedEvents();
  recover({
    fs: nodeDurableFsSync,
    layout,
    clock: systemClock,
    events,
    markMemory: newMarkMemory(),
  });
  return events.named("recovery_completed")[0]?.spills_finished ?? Number.NaN;
}

const pendingOf = async (queue: CaptureQueue) => (await queue.listPending()).map((e) => e.ulid);

function audit(
  layout: QueueLayout,
  disposition: "spilled" | "dropped",
  receipt: { ulid: string; appended_at: string; sha256: string },
): void {
  const log = new AuditLog({ layout });
  const { ulid, appended_at: appendedAt, sha256 } = receipt;
  log.record(disposition, [{ ulid, appendedAt, sha256 }], 1);
  log.close();
}

function auditedAtMs(layout: QueueLayout): number {
  const [line = ""] = readFileSync(layout.auditFile, "utf8").split("\n");
  return Date.parse(JSON.parse(line).ts);
}

function spill(layout: QueueLayout, ulid: string): void {
  const segment = encodeSegment([readFileSync(pendingPath(layout, ulid))]);
  writeFileSync(segmentPath(layout, newSegmentName(ulid, ulid, 1)), segment);
}

describe("a way out of a full queue that a crash cut short", () => {
  it("Q12: a record in a segment, audited and still pending, leaves the queue", async () => {
    const queue = newQueue();
    const one = await queue.append({ surface: "one" });
    const other = await queue.append({ surface: "other" });
    spill(queue.layout, one.ulid);
    audit(queue.layout, "spilled", one);
    expect(start(queue.layout)).toBe(1);
    expect(await pendingOf(queue)).toEqual([other.ulid]);
    expect(start(queue.layout)).toBe(0);
    await queue.close();
  });

  it("Q12: in a segment and not audited it stays in both places", async () => {
    const queue = newQueue();
    const one = await queue.append({ surface: "one" });
    spill(queue.layout, one.ulid);
    expect(start(queue.layout)).toBe(0);
    expect(await pendingOf(queue)).toEqual([one.ulid]);
    await queue.close();
  });

  it("Q12: audited as spilled, but in no segment, it stays", async () => {
    const queue = newQueue();
    const one = await queue.append({ surface: "one" });
    audit(queue.layout, "spilled", one);
    expect(start(queue.layout)).toBe(0);
    expect(await pendingOf(queue)).toEqual([one.ulid]);
    await queue.close();
  });

  it("Q12: a segment that holds other bytes of that id proves nothing", async () => {
    const queue = newQueue();
    const one = await queue.append({ surface: "one" });
    spill(queue.layout, one.ulid);
    audit(queue.layout, "spilled", one);
    unlinkSync(pendingPath(queue.layout, one.ulid));
    // The caller repeats the capture: the same text and id, another time.
    const clock = { ...systemClock, nowMs: () => Date.now() + 5_000 };
    const later = new CaptureQueue({ queueDir: queue.layout.dir, clock });
    await later.append({ surface: "one" }, { retryUlid: one.ulid });
    expect(start(queue.layout)).toBe(0);
    expect(await pendingOf(queue)).toEqual([one.ulid]);
    await later.close();
    await queue.close();
  });

  it("Q12: a record that was audited as dropped goes, one captured again under its id stays", async () => {
    const queue = newQueue();
    const [one, other] = [
      await queue.append({ surface: "one" }),
      await queue.append({ surface: "other" }),
    ];
    audit(queue.layout, "dropped", one);
    const before = { ...other, appended_at: "2026-01-01T00:00:00.000Z" };
    audit(queue.layout, "dropped", before);
    expect(start(queue.layout)).toBe(1);
    expect(await pendingOf(queue)).toEqual([other.ulid]);
    await queue.close();
  });

  it("Q12: one that was dropped, and imported again under its id and time, stays", async () => {
    const queue = newQueue({ maxSize: 1, overflow: "drop-oldest" });
    const surface = "dropped, and exported before";
    const { ulid, appended_at: appendedAt } = await queue.append({ surface });
    await queue.append({ surface: "other" });
    expect(await pendingOf(queue)).not.toContain(ulid);
    const importing = new CaptureQueue({ queueDir: queue.layout.dir, markMemory: newMarkMemory() });
    // The file system's clock may be some milliseconds behind the line's.
    await expect
      .poll(() => Date.now(), { interval: 1 })
      .toBeGreaterThan(auditedAtMs(queue.layout) + 20);
    await importing.adopt({ surface }, { ulid, appendedAt });
    expect(start(queue.layout)).toBe(0);
    expect(await pendingOf(queue)).toContain(ulid);
    await Promise.all([importing.close(), queue.close()]);
  });

  it("Q12: a record that another process is moving at this moment is left to it", async () => {
    const queue = newQueue();
    const one = await queue.append({ surface: "one" });
    spill(queue.layout, one.ulid);
    audit(queue.layout, "spilled", one);
    writeFileSync(markPath(queue.layout, one.ulid), "");
    expect(start(queue.layout)).toBe(0);
    expect(await pendingOf(queue)).toEqual([one.ulid]);
    const longAgo = Date.now() / 1_000 - 60;
    utimesSync(markPath(queue.layout, one.ulid), longAgo, longAgo);
    expect(start(queue.layout)).toBe(1);
    expect(readdirSync(queue.layout.dir).filter((name) => name.startsWith("pending-"))).toEqual([]);
    await queue.close();
  });

  it.for<["spill" | "drop-oldest"]>([["spill"], ["drop-oldest"]])(
    "Q12: with policy %s, what an unlink left behind goes at the next start",
    async ([overflow]) => {
      const faulty = faultyFs();
      const queue = newQueue({ fs: faulty.fs, maxSize: 2, overflow });
      const first = await queue.append({ surface: "first" });
      await queue.append({ surface: "second" });
      faulty.fail({ method: "unlink", errno: "EIO", pathEnds: `${first.ulid}.json` });
      await queue.append({ surface: "third" });
      faulty.fail(undefined);
      expect(await pendingOf(queue)).toContain(first.ulid);
      expect(start(queue.layout)).toBe(1);
      expect(await pendingOf(queue)).not.toContain(first.ulid);
      await queue.close();
    },
  );
});
