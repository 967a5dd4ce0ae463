import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { CaptureQueue, type CaptureQueueOptions } from "../../src/queue/capture-queue.ts";
import { newMarkMemory } from "../../src/queue/mark-memory.ts";
import { segmentPath } from "../../src/queue/spill-segment.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";
import { overflowNames, spill } from "../support/spilled-segments.ts";

/** `spilled` records in segments and one pending. */
async function spilledQueue(spilled: number, options: Partial<CaptureQueueOptions> = {}) {
  const queueDir = join(freshDirectory(), "queue");
  const events = new RecordedEvents();
  const queue = new CaptureQueue({
    queueDir,
    events,
    maxSize: 1,
    markMemory: newMarkMemory(),
    ...options,
  });
  const ulids: string[] = [];
  for (let n = 0; n <= spilled; n++) ulids.push((await queue.append({ surface: `${n}` })).ulid);
  expect(await queue.pendingCount()).toBe(1);
  const segments = () => readdirSync(join(queueDir, "overflow")).sort();
  expect(segments()).toHaveLength(spilled);
  return { queue, queueDir, events, ulids, segments };
}

const refusal = () => new MemspoolError("STORE_REFUSED", "This can never be stored.");

describe("ingestPending over spilled records", () => {
  it("Q11: hands them out before what is pending, in order, and lets the segments go", async () => {
    const { queue, ulids, segments } = await spilledQueue(5);
    const seen: [string, string, number][] = [];
    const count = await queue.ingestPending(({ surface }, { ulid, attempt }) => {
      seen.push([ulid, surface, attempt]);
    });
    expect(count).toBe(6);
    expect(seen).toEqual(ulids.map((ulid, n) => [ulid, `${n}`, 1]));
    expect(segments()).toEqual([]);
    expect(readdirSync(queue.layout.dir).filter((name) => name.startsWith("pending-"))).toEqual([]);
    await queue.close();
  });

  it("Q11: a new id sorts behind a spilled one that is gone", async () => {
    const clock = new ManualClock();
    const { queue, queueDir, ulids } = await spilledQueue(1, { clock });
    await queue.ingestPending(() => {});
    await queue.close();
    clock.step(-3_600_000);
    const later = new CaptureQueue({ queueDir, clock });
    const { ulid } = await later.append({ surface: "later" });
    expect(ulid > (ulids.at(-1) ?? "")).toBe(true);
    await later.close();
  });

  it("Q9: one that fails stays in its segment and keeps nobody waiting; later it is handed out alone", async () => {
    const { queue, ulids, segments } = await spilledQueue(3);
    const failing = ulids[1];
    const first = queue.ingestPending((_record, { ulid }) => {
      if (ulid === failing) throw new Error("busy");
    });
    await expect(first).rejects.toMatchObject({ message: "busy", ingestedCount: 3 });
    expect(segments()).toHaveLength(1);
    const seen: [string, number][] = [];
    const count = await queue.ingestPending((_record, { ulid, attempt }) => {
      seen.push([ulid, attempt]);
    });
    expect([count, seen]).toEqual([1, [[failing, 2]]]);
    expect(segments()).toEqual([]);
    await queue.close();
  });

  it("Q9: one that is at fault itself is tried at once, after 60 s, and is then quarantined whole", async () => {
    const clock = new ManualClock();
    const { queue, queueDir, ulids, segments, events } = await spilledQueue(1, { clock });
    const bad = ulids[0] ?? "";
    const [name = ""] = segments();
    const before = readFileSync(segmentPath(queue.layout, name));
    const attempts: number[] = [];
    const pass = () =>
      queue
        .ingestPending((_record, { ulid, attempt }) => {
          if (ulid !== bad) return;
          attempts.push(attempt);
          throw refusal();
        })
        .catch(() => {});
    await pass();
    await pass();
    await pass(); // not due
    expect([attempts, segments()]).toEqual([[1, 2], [name]]);
    expect(readFileSync(segmentPath(queue.layout, name))).toEqual(before);
    clock.advance(60_000);
    await pass();
    expect([attempts, segments()]).toEqual([[1, 2, 3], []]);
    const file = join(queueDir, "quarantine", `pending-${bad}.json`);
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
      ulid: bad,
      record: { surface: "0" },
    });
    expect(events.named("capture_quarantined")).toEqual([
      { ulid: bad, code: "STORE_REFUSED", attempts: 3 },
    ]);
    await queue.close();
  });

  it("Q8: a segment that another process works on is passed over", async () => {
    const { queue, queueDir, ulids } = await spilledQueue(1);
    const other = new CaptureQueue({ queueDir, maxSize: 1, markMemory: newMarkMemory() });
    let nested: number | undefined;
    const count = await queue.ingestPending(async (_record, { ulid }) => {
      if (ulid === ulids[0]) nested = await other.ingestPending(() => {});
    });
    // The other one had the pending record, and only that.
    expect([nested, count]).toEqual([1, 1]);
    await Promise.all([queue.close(), other.close()]);
  });

  it("Q11: a process that stalls in the midst leaves the segment to the next, once its mark is stale", async () => {
    const clock = new ManualClock(Date.now());
    const { queue, queueDir, ulids, segments } = await spilledQueue(2, { clock });
    let resume = () => {};
    const stalled = queue.ingestPending(
      () =>
        new Promise<void>((resolve) => {
          resume = resolve;
        }),
    );
    const next = new CaptureQueue({ queueDir, clock, markMemory: newMarkMemory() });
    const seen: string[] = [];
    const note = (_record: unknown, { ulid }: { ulid: string }) => {
      seen.push(ulid);
    };
    await next.ingestPending(note);
    expect(seen).not.toContain(ulids[0]);
    clock.advance(60_000);
    await next.ingestPending(note);
    expect(seen.toSorted()).toEqual(ulids);
    expect(segments()).toEqual([]);
    resume();
    await stalled;
    await Promise.all([queue.close(), next.close()]);
  });

  it("Q8: many short handlers keep a segment as one long handler does", async () => {
    const clock = new ManualClock(Date.now());
    const queueDir = join(freshDirectory(), "queue");
    const queue = new CaptureQueue({ queueDir, clock, markMemory: newMarkMemory() });
    const ulids: string[] = [];
    for (let n = 0; n < 30; n++) ulids.push((await queue.append({ surface: `${n}` })).ulid);
    spill(queue.layout, ulids);
    const other = new CaptureQueue({ queueDir, clock, markMemory: newMarkMemory() });
    let nested: number | undefined;
    const count = await queue.ingestPending(async (_record, { ulid }) => {
      clock.advance(1_000);
      if (ulid === ulids[25]) nested = await other.ingestPending(() => {});
    });
    expect([nested, count]).toEqual([0, 30]);
    await Promise.all([queue.close(), other.close()]);
  });

  it("Q9: what went back from quarantine, and from the queue again, does not go with its segment", async () => {
    const clock = new ManualClock(Date.now());
    const queueDir = join(freshDirectory(), "queue");
    const queue = new CaptureQueue({
      queueDir,
      clock,
      attemptsMax: 1,
      markMemory: newMarkMemory(),
    });
    const bad = await queue.append({ surface: "bad" });
    const busy = await queue.append({ surface: "busy" });
    spill(queue.layout, [bad.ulid, busy.ulid]);
    const first = queue.ingestPending((_record, { ulid }) => {
      throw ulid === bad.ulid ? refusal() : new Error("busy");
    });
    await expect(first).rejects.toMatchObject({ ingestedCount: 0 });
    // Sent back into the queue, and taken from there by a start that found it audited and spilled.
    const file = join(queueDir, "quarantine", `pending-${bad.ulid}.json`);
    const bytes = readFileSync(file);
    unlinkSync(file);
    await queue.ingestPending(() => {});
    expect(overflowNames(queue.layout)).toEqual([]);
    expect(readFileSync(file)).toEqual(bytes);
    await queue.close();
  });

  it("Q9: a full disk that keeps a bad one from quarantine keeps nobody else", async () => {
    const faulty = faultyFsSync();
    const queueDir = join(freshDirectory(), "queue");
    const events = new RecordedEvents();
    const options = { queueDir, events, attemptsMax: 1, fsSync: faulty.fs } as const;
    const queue = new CaptureQueue({ ...options, markMemory: newMarkMemory() });
    const [bad, good] = [
      await queue.append({ surface: "a" }),
      await queue.append({ surface: "b" }),
    ];
    const name = spill(queue.layout, [bad.ulid, good.ulid]);
    const seen: string[] = [];
    const pass = () =>
      queue.ingestPending((_record, { ulid }) => {
        seen.push(ulid);
        if (ulid === bad.ulid) throw refusal();
      });
    faulty.fail({ method: "replace", errno: "ENOSPC", pathEnds: ".reason.json" });
    await expect(pass()).rejects.toMatchObject({ code: "STORE_REFUSED", ingestedCount: 1 });
    expect([seen, overflowNames(queue.layout)]).toEqual([[bad.ulid, good.ulid], [name]]);
    expect(events.named("envelope_read_failed")).toEqual([{ ulid: bad.ulid, errno: "ENOSPC" }]);
    faulty.fail(undefined);
    await expect(pass()).rejects.toMatchObject({ code: "STORE_REFUSED" });
    expect(seen.slice(2)).toEqual([bad.ulid]);
    expect(overflowNames(queue.layout)).toEqual([]);
    expect(readdirSync(join(queueDir, "quarantine"))).toContain(`pending-${bad.ulid}.json`);
    await queue.close();
  });

  it("Q9: a damaged segment gives what it has, says so, and is kept whole in quarantine", async () => {
    const { queue, queueDir, ulids, segments, events } = await spilledQueue(1);
    const [name = ""] = segments();
    const bytes = readFileSync(segmentPath(queue.layout, name));
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 12) ^ 1, bytes.length - 12);
    writeFileSync(segmentPath(queue.layout, name), bytes);
    const seen: string[] = [];
    const pass = queue.ingestPending((_record, { ulid }) => {
      seen.push(ulid);
    });
    await expect(pass).rejects.toMatchObject({ code: "ENVELOPE_UNREADABLE", ingestedCount: 1 });
    expect(seen).toEqual([ulids[1]]);
    expect(segments()).toEqual([]);
    expect(readFileSync(join(queueDir, "quarantine", name))).toEqual(bytes);
    const reason = join(queueDir, "quarantine", name.replace(/$/, ".reason.json"));
    expect(existsSync(reason)).toBe(true);
    expect(events.named("segment_damaged")).toMatchObject([{ segment: name, records_lost: 1 }]);
    await queue.close();
  });
});
