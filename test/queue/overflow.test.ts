import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CaptureQueue, type CaptureQueueOptions } from "../../src/queue/capture-queue.ts";
import { markPath, pendingPath } from "../../src/queue/layout.ts";
import { readSegment } from "../../src/queue/spill-segment.ts";
import { faultyFs, faultyFsSync } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

type Options = Partial<CaptureQueueOptions>;

function newQueue(options: Options = {}) {
  const queueDir = options.queueDir ?? join(freshDirectory(), "queue");
  const events = new RecordedEvents();
  return { queue: new CaptureQueue({ queueDir, events, ...options }), events, queueDir };
}

async function appendAll(queue: CaptureQueue, count: number, from = 0): Promise<string[]> {
  const ulids: string[] = [];
  for (let n = from; n < from + count; n++) {
    ulids.push((await queue.append({ surface: `text ${n}` })).ulid);
  }
  return ulids;
}

const pendingOf = async (queue: CaptureQueue) => (await queue.listPending()).map((e) => e.ulid);

/** Ids in the segments, in the order in which they are to be ingested. */
function spilledIn(queueDir: string): string[] {
  const dir = join(queueDir, "overflow");
  return readdirSync(dir)
    .sort()
    .flatMap((name) => readSegment(readFileSync(join(dir, name))).envelopes)
    .map(({ ulid }) => ulid);
}

function auditOf(queueDir: string): Record<string, unknown>[] {
  const path = join(queueDir, ".overflow-audit.log");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

const auditedIds = (queueDir: string, disposition: string) =>
  auditOf(queueDir)
    .filter((line) => line.disposition === disposition)
    .map(({ dropped_ulid: ulid }) => ulid);

describe("a full queue that spills", () => {
  it("Q11: 110 appends into 100 places: what is kept and what is spilled are all of them", async () => {
    const { queue, queueDir, events } = newQueue({ maxSize: 100 });
    const ulids = await appendAll(queue, 110);
    const kept = await pendingOf(queue);
    expect(kept.length).toBeLessThanOrEqual(100);
    expect([...spilledIn(queueDir), ...kept]).toEqual(ulids);
    expect(auditedIds(queueDir, "spilled")).toEqual(ulids.slice(0, 110 - kept.length));
    expect(auditedIds(queueDir, "dropped")).toEqual([]);
    const pruned = events.named("queue_pruned");
    expect(pruned.reduce((sum, { count }) => sum + count, 0)).toBe(110 - kept.length);
    await queue.close();
  });

  it("Q11: an audit line says when, what, how full and where to, and nothing of the text", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 2 });
    const first = await queue.append({ surface: "a secret of the first record" });
    await queue.append({ surface: "second" });
    await queue.append({ surface: "third" });
    expect(auditOf(queueDir)).toEqual([
      expect.objectContaining({
        ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        reason: "queue_overflow",
        dropped_ulid: first.ulid,
        appended_at: first.appended_at,
        queue_size_before_prune: 2,
        disposition: "spilled",
        sha256: first.sha256,
      }),
    ]);
    expect(JSON.stringify(auditOf(queueDir))).not.toContain("secret");
    await queue.close();
  });

  it("Q11: makes one percent of the limit free at a time", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 300 });
    await appendAll(queue, 301);
    expect(await queue.pendingCount()).toBe(298);
    expect(spilledIn(queueDir)).toHaveLength(3);
    await queue.close();
  });

  it("Q11: never more are pending than the limit, however many are appended at once", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 10 });
    let most = 0;
    const counted = async (n: number) => {
      const { ulid } = await queue.append({ surface: `text ${n}` });
      const names = readdirSync(queueDir).filter((name) => /^pending-.*\.json$/.test(name));
      most = Math.max(most, names.length);
      return ulid;
    };
    const ulids = await Promise.all(Array.from({ length: 60 }, (_, n) => counted(n)));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(10);
    const found = [...spilledIn(queueDir), ...(await pendingOf(queue))];
    expect(found.toSorted()).toEqual(ulids.toSorted());
    expect(new Set(found).size).toBe(60);
    await queue.close();
  });

  it("Q11: a record that somebody works on is no victim", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 3 });
    const [locked = "", second = ""] = await appendAll(queue, 3);
    writeFileSync(markPath(queue.layout, locked), "");
    await appendAll(queue, 1);
    expect(await pendingOf(queue)).toContain(locked);
    expect(spilledIn(queueDir)).toEqual([second]);
    await queue.close();
  });

  it("Q11: a directory as a mark counts as somebody's too, until it is stale", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 2 });
    const [locked = "", second = ""] = await appendAll(queue, 2);
    mkdirSync(markPath(queue.layout, locked));
    await appendAll(queue, 1);
    expect(spilledIn(queueDir)).toEqual([second]);
    const longAgo = Date.now() / 1_000 - 60;
    utimesSync(markPath(queue.layout, locked), longAgo, longAgo);
    await appendAll(queue, 1);
    expect(spilledIn(queueDir).toSorted()).toEqual([locked, second]);
    await queue.close();
  });

  it("Q11: with every record being worked on, the append is refused and nothing is lost", async () => {
    const { queue, queueDir, events } = newQueue({ maxSize: 2 });
    const ulids = await appendAll(queue, 2);
    for (const ulid of ulids) writeFileSync(markPath(queue.layout, ulid), "");
    await expect(queue.append({ surface: "one more" })).rejects.toMatchObject({
      code: "QUEUE_FULL",
      retryable: true,
      details: { stored: "no", retry_after_ms: 1_000, limit_records: 2 },
    });
    expect(events.named("prune_failed")).toEqual([{ errno: "", wanted: 1 }]);
    expect(await pendingOf(queue)).toEqual(ulids);
    expect(auditOf(queueDir)).toEqual([]);
    await queue.close();
  });

  it("Q11: a damaged envelope is left to the ingester", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 2 });
    const [damaged = "", second = ""] = await appendAll(queue, 2);
    writeFileSync(pendingPath(queue.layout, damaged), "{");
    await appendAll(queue, 1);
    expect(spilledIn(queueDir)).toEqual([second]);
    expect(await pendingOf(queue)).toContain(damaged);
    await queue.close();
  });

  it("Q11: the segment and its name are on disk before the audit line, and that before the unlink", async () => {
    const async_ = faultyFs();
    const sync = faultyFsSync();
    const order: string[] = [];
    const note = (what: string) => order.push(what);
    const fs = {
      ...async_.fs,
      fsync: (fd: number) => async_.fs.fsync(fd).then(() => void note(`fsync ${fd}`)),
      openDirectory: async (path: string) => {
        const fd = await async_.fs.openDirectory(path);
        if (path.endsWith("overflow")) note(`overflow is ${fd}`);
        return fd;
      },
      link: async (from: string, to: string) => {
        await async_.fs.link(from, to);
        if (to.includes("overflow")) note("segment linked");
      },
      unlink: async (path: string) => {
        await async_.fs.unlink(path);
        if (/pending-.*\.json$/.test(path)) note("victim unlinked");
      },
    };
    const fsSync = {
      ...sync.fs,
      fsync: (fd: number) => {
        sync.fs.fsync(fd);
        note("sync fsync");
      },
    };
    const { queue } = newQueue({ maxSize: 1, fs, fsSync });
    await appendAll(queue, 1);
    order.length = 0;
    await appendAll(queue, 1, 1);
    const linked = order.indexOf("segment linked");
    const opened = order.findIndex((what) => what.startsWith("overflow is"));
    const fd = order[opened]?.slice("overflow is ".length);
    const synced = order.indexOf(`fsync ${fd}`, opened);
    const audited = order.indexOf("sync fsync", synced);
    const unlinked = order.indexOf("victim unlinked");
    expect(order.slice(0, linked).some((what) => what.startsWith("fsync"))).toBe(true);
    const places = [linked, opened, synced, audited, unlinked];
    expect(places.every((place) => place >= 0)).toBe(true);
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    await queue.close();
  });

  it.for(["openExclusive", "write", "fsync", "size", "link", "openDirectory"])(
    "Q11: when %s fails for the segment, the append is refused, all stay pending, and later it works",
    async (method) => {
      const faulty = faultyFs();
      const { queue, queueDir, events } = newQueue({ maxSize: 2, fs: faulty.fs });
      const ulids = await appendAll(queue, 2);
      faulty.fail({ method, errno: "EIO" });
      await expect(queue.append({ surface: "one more" })).rejects.toMatchObject({
        code: "QUEUE_FULL",
        details: { stored: "no", errno: "EIO" },
      });
      faulty.fail(undefined);
      expect(events.named("prune_failed")).toEqual([{ errno: "EIO", wanted: 1 }]);
      expect(await pendingOf(queue)).toEqual(ulids);
      expect([spilledIn(queueDir), auditOf(queueDir)]).toEqual([[], []]);
      const after = await appendAll(queue, 1, 2);
      expect([...spilledIn(queueDir), ...(await pendingOf(queue))]).toEqual([...ulids, ...after]);
      expect(readdirSync(queueDir).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
      await queue.close();
    },
  );

  it("Q11: when the audit line can not be written, nobody leaves", async () => {
    const faulty = faultyFsSync();
    const { queue, queueDir } = newQueue({ maxSize: 2, fsSync: faulty.fs });
    const ulids = await appendAll(queue, 2);
    faulty.fail({ method: "openLog", errno: "EACCES", pathEnds: ".overflow-audit.log" });
    await expect(queue.append({ surface: "one more" })).rejects.toMatchObject({
      code: "QUEUE_FULL",
      details: { errno: "EACCES" },
    });
    faulty.fail(undefined);
    expect(await pendingOf(queue)).toEqual(ulids);
    expect(spilledIn(queueDir)).toEqual([]);
    await queue.close();
  });

  it("Q11: a repeat that fails leaves the place of what was pending before it taken", async () => {
    const { queue } = newQueue({ maxSize: 3 });
    const [damaged = ""] = await appendAll(queue, 3);
    writeFileSync(pendingPath(queue.layout, damaged), "{");
    const repeat = queue.append({ surface: "text 0" }, { retryUlid: damaged });
    await expect(repeat).rejects.toMatchObject({ code: "ULID_CONFLICT" });
    await appendAll(queue, 1, 3);
    expect(await queue.pendingCount()).toBeLessThanOrEqual(3);
    await queue.close();
  });

  it("Q11: room that the ingester made is found without moving anything", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 5 });
    await appendAll(queue, 5);
    await queue.ingestPending(() => {});
    await appendAll(queue, 5);
    expect(await queue.pendingCount()).toBe(5);
    expect(auditOf(queueDir)).toEqual([]);
    await queue.close();
  });

  it("Q6: a new process makes no id before a spilled one", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 1 });
    const [first = "", second = ""] = await appendAll(queue, 2);
    expect(spilledIn(queueDir)).toEqual([first]);
    // Nothing but the segment is left to say which id was the last.
    unlinkSync(pendingPath(queue.layout, second));
    await queue.close();
    const clock = { nowMs: () => Date.now() - 3_600_000, monotonicMs: () => performance.now() };
    const later = newQueue({ queueDir, clock }).queue;
    expect((await later.append({ surface: "later" })).ulid > first).toBe(true);
    await later.close();
  });
});

describe("a full queue that refuses", () => {
  it("Q11: says so, with a wait, and takes captures again once there is room", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 3, overflow: "reject" });
    const ulids = await appendAll(queue, 3);
    await expect(queue.append({ surface: "one more" })).rejects.toMatchObject({
      code: "QUEUE_FULL",
      details: { stored: "no", retry_after_ms: 1_000 },
    });
    expect(await pendingOf(queue)).toEqual(ulids);
    expect([spilledIn(queueDir), auditOf(queueDir)]).toEqual([[], []]);
    await queue.ingestPending(() => {});
    await expect(queue.append({ surface: "again" })).resolves.toMatchObject({ state: "pending" });
    await queue.close();
  });

  it("Q11: of many at once, as many are taken as there are places", async () => {
    const { queue } = newQueue({ maxSize: 10, overflow: "reject" });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 25 }, (_, n) => queue.append({ surface: `text ${n}` })),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    expect(await queue.pendingCount()).toBe(10);
    await queue.close();
  });
});

describe("a full queue that drops its oldest", () => {
  it("Q11: what was appended is what is kept and what was audited as dropped", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 100, overflow: "drop-oldest" });
    const ulids = await appendAll(queue, 110);
    const kept = await pendingOf(queue);
    expect(kept.length).toBeLessThanOrEqual(100);
    expect([...auditedIds(queueDir, "dropped"), ...kept]).toEqual(ulids);
    expect(spilledIn(queueDir)).toEqual([]);
    await queue.close();
  });

  it("Q11: the record that is being appended is never the one that goes", async () => {
    const { queue, queueDir } = newQueue({ maxSize: 1, overflow: "drop-oldest" });
    const ulids = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const { ulid } = await queue.append({ surface: `text ${n}` });
        // Acknowledged at this moment: it must be there now, whatever is dropped next.
        expect(existsSync(pendingPath(queue.layout, ulid))).toBe(true);
        return ulid;
      }),
    );
    const kept = await pendingOf(queue);
    expect(kept).toHaveLength(1);
    expect([...auditedIds(queueDir, "dropped"), ...kept].toSorted()).toEqual(ulids.toSorted());
    await queue.close();
  });

  it("Q11: nothing goes before its line is on disk", async () => {
    const faulty = faultyFsSync();
    const options = { maxSize: 2, overflow: "drop-oldest", fsSync: faulty.fs } as const;
    const { queue } = newQueue(options);
    const ulids = await appendAll(queue, 2);
    faulty.fail({ method: "openLog", errno: "ENOSPC", pathEnds: ".overflow-audit.log" });
    await expect(queue.append({ surface: "one more" })).rejects.toMatchObject({
      code: "QUEUE_FULL",
    });
    expect(await pendingOf(queue)).toEqual(ulids);
    await queue.close();
  });
});

describe("a record that has its id and time already", () => {
  it("S7: is taken in under both, and once", async () => {
    const { queue } = newQueue();
    const known = { ulid: "01JNXE5M00ABCDEFGHJKMNPQRS", appendedAt: "2025-03-09T10:00:00.000Z" };
    const receipt = await queue.adopt({ surface: "from elsewhere" }, known);
    expect(receipt).toMatchObject({ ulid: known.ulid, appended_at: known.appendedAt });
    await expect(queue.adopt({ surface: "from elsewhere" }, known)).resolves.toEqual(receipt);
    await expect(queue.adopt({ surface: "another" }, known)).rejects.toMatchObject({
      code: "ULID_CONFLICT",
    });
    expect(await pendingOf(queue)).toEqual([known.ulid]);
    const broken = { ulid: known.ulid, appendedAt: "yesterday" };
    await expect(queue.adopt({ surface: "x" }, broken)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await queue.close();
  });
});
