import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { CaptureQueue, type CaptureQueueOptions } from "../../src/queue/capture-queue.ts";
import { textSha256 } from "../../src/record/content-hash.ts";
import { type Fault, faultyFs } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

function newQueue(options: Partial<CaptureQueueOptions> = {}): CaptureQueue {
  return new CaptureQueue({ queueDir: join(freshDirectory(), "queue"), ...options });
}

function visible(queue: CaptureQueue): string[] {
  return readdirSync(queue.layout.dir).filter((name) => name.startsWith("pending-"));
}

function leftovers(queue: CaptureQueue): string[] {
  return readdirSync(queue.layout.dir).filter((name) => name.startsWith(".tmp-"));
}

async function rejection(promise: Promise<unknown>): Promise<MemspoolError> {
  return promise.then(
    () => {
      throw new Error("was acknowledged");
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(MemspoolError);
      return error as MemspoolError;
    },
  );
}

describe("append", () => {
  it("Q1: resolves to a receipt, and the envelope is there with its fields", async () => {
    const queue = newQueue();
    const receipt = await queue.append({ surface: "hello", cue: "greeting" });
    expect(receipt.ulid).toHaveLength(26);
    expect(receipt).toMatchObject({ state: "pending", sha256: textSha256("hello") });
    const file = join(queue.layout.dir, `pending-${receipt.ulid}.json`);
    const envelope = JSON.parse(readFileSync(file, "utf8"));
    expect(envelope).toMatchObject({
      ulid: receipt.ulid,
      appended_at: receipt.appended_at,
      record: { surface: "hello", cue: "greeting" },
      schema_version: 1,
    });
    expect(new Date(envelope.appended_at).toISOString()).toBe(envelope.appended_at);
    expect(leftovers(queue)).toEqual([]);
  });

  it("Q1: opens exclusively, writes, fsyncs, checks the size, links, then fsyncs the directory", async () => {
    const { fs, calls } = faultyFs();
    const queue = newQueue({ fs });
    await queue.append({ surface: "first" });
    calls.length = 0;
    await queue.append({ surface: "second" });
    const steps = calls.map(({ method }) => method).filter((method) => method !== "identityOfPath");
    const required = ["openExclusive", "write", "fsync", "size", "link", "fsync"];
    expect(steps.filter((method) => required.includes(method))).toEqual(required);
    expect([...steps].sort()).toEqual([...required, "close", "unlink"].sort());
    const [fileSync, directorySync] = calls.filter(({ method }) => method === "fsync");
    expect(fileSync?.args[0]).not.toBe(directorySync?.args[0]);
  });

  it("Q1: writes on after a short write until all bytes are out", async () => {
    const { fs } = faultyFs();
    const halving = {
      ...fs,
      write: (fd: number, bytes: Uint8Array, offset: number, length: number) =>
        fs.write(fd, bytes, offset, Math.ceil(length / 2)),
    };
    const queue = newQueue({ fs: halving });
    const { ulid } = await queue.append({ surface: "many small pieces" });
    const text = readFileSync(join(queue.layout.dir, `pending-${ulid}.json`), "utf8");
    expect(JSON.parse(text).record.surface).toBe("many small pieces");
  });

  const beforePublishing: Fault[] = [
    { method: "openExclusive", errno: "EMFILE" },
    { method: "write", errno: "ENOSPC" },
    { method: "write", errno: "EIO" },
    { method: "fsync", nth: 1, errno: "EIO" },
    { method: "size", errno: "EIO" },
    { method: "link", errno: "EIO" },
    { method: "link", errno: "ENOSPC" },
    { method: "link", errno: "EROFS" },
  ];

  it.each(beforePublishing)(
    "Q4: %o rejects with stored no, leaves nothing, and the next append works",
    async (fault) => {
      const { fs, fail } = faultyFs();
      const queue = newQueue({ fs });
      await queue.append({ surface: "warm" });
      fail(fault);
      const error = await rejection(queue.append({ surface: "lost" }));
      expect(error.code).toBe("CAPTURE_FAILED");
      expect(error.details).toMatchObject({ stored: "no", errno: fault.errno });
      fail(undefined);
      expect(await queue.pendingCount()).toBe(1);
      expect(leftovers(queue)).toEqual([]);
      await queue.append({ surface: "next" });
      expect(await queue.pendingCount()).toBe(2);
    },
  );

  it("Q4: a close that fails after the fsync takes nothing back", async () => {
    const { fs, fail } = faultyFs();
    const queue = newQueue({ fs });
    await queue.append({ surface: "warm" });
    fail({ method: "close", nth: 1, errno: "EIO", afterwards: true });
    expect((await queue.append({ surface: "kept" })).state).toBe("pending");
    expect(leftovers(queue)).toEqual([]);
    expect(await queue.pendingCount()).toBe(2);
  });

  it("Q4: a file that turns out short is never acknowledged", async () => {
    const { fs } = faultyFs();
    const queue = newQueue({ fs: { ...fs, size: async (fd) => (await fs.size(fd)) - 1 } });
    const error = await rejection(queue.append({ surface: "short" }));
    expect(error.details).toMatchObject({ stored: "no", step: "size check" });
    expect(visible(queue)).toEqual([]);
  });

  it("Q4: a write that writes nothing is a failure, not an endless loop", async () => {
    const { fs } = faultyFs();
    const queue = newQueue({ fs: { ...fs, write: async () => 0 } });
    expect((await rejection(queue.append({ surface: "x" }))).details).toMatchObject({
      stored: "no",
    });
  });

  it("Q4: stored is unknown if the temp file could not be removed", async () => {
    const { fs, fail } = faultyFs();
    const queue = newQueue({
      fs: {
        ...fs,
        link: async () => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })),
      },
    });
    fail({ method: "unlink", errno: "EIO" });
    const error = await rejection(queue.append({ surface: "x" }));
    expect(error.details).toMatchObject({ stored: "unknown", errno: "EIO" });
    expect(error.details.ulid).toMatch(/^[0-9A-Z]{26}$/);
  });

  it("Q4: stored is unknown if a link failed and yet is there", async () => {
    const { fs, fail } = faultyFs();
    const queue = newQueue({ fs });
    fail({ method: "link", errno: "EIO", afterwards: true });
    expect((await rejection(queue.append({ surface: "x" }))).details.stored).toBe("unknown");
  });

  it("Q4: a failed directory fsync says unknown and names the id; the retry under it stores once", async () => {
    const { fs, fail } = faultyFs();
    const queue = newQueue({ fs });
    fail({ method: "fsync", nth: 2, errno: "EIO" });
    const error = await rejection(queue.append({ surface: "maybe" }));
    expect(error.details).toMatchObject({ stored: "unknown", step: "directory fsync" });
    fail(undefined);
    const ulid = error.details.ulid as string;
    const receipt = await queue.append({ surface: "maybe" }, { retryUlid: ulid });
    expect(receipt.ulid).toBe(ulid);
    expect(visible(queue)).toEqual([`pending-${ulid}.json`]);
    expect(leftovers(queue)).toEqual([]);
  });

  it("Q4: a retry whose first attempt was never published publishes under that id", async () => {
    const queue = newQueue();
    const ulid = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
    expect((await queue.append({ surface: "again" }, { retryUlid: ulid })).ulid).toBe(ulid);
    expect(visible(queue)).toEqual([`pending-${ulid}.json`]);
  });

  it("Q4: a retry with another text is ULID_CONFLICT and changes nothing", async () => {
    const queue = newQueue();
    const { ulid } = await queue.append({ surface: "one" });
    const before = readFileSync(join(queue.layout.dir, `pending-${ulid}.json`));
    const error = await rejection(queue.append({ surface: "other" }, { retryUlid: ulid }));
    expect(error.code).toBe("ULID_CONFLICT");
    expect(readFileSync(join(queue.layout.dir, `pending-${ulid}.json`))).toEqual(before);
    expect(leftovers(queue)).toEqual([]);
    const bad = await rejection(queue.append({ surface: "x" }, { retryUlid: "../../etc/passwd" }));
    expect(bad.code).toBe("INVALID_ARGUMENT");
  });

  it("Q4: without hard links it renames, and still never overwrites", async () => {
    const { fs, fail } = faultyFs();
    const queue = newQueue({ fs });
    fail({ method: "link", errno: "EPERM" });
    const { ulid } = await queue.append({ surface: "renamed" });
    expect(visible(queue)).toEqual([`pending-${ulid}.json`]);
    expect(leftovers(queue)).toEqual([]);
    expect((await rejection(queue.append({ surface: "other" }, { retryUlid: ulid }))).code).toBe(
      "ULID_CONFLICT",
    );
    expect((await queue.append({ surface: "renamed" }, { retryUlid: ulid })).ulid).toBe(ulid);
  });

  it("Q5: 50 concurrent writers × 10: no error, no id twice, every file whole", async () => {
    const queue = newQueue();
    const writers = Array.from({ length: 50 }, async (_, writer) => {
      const receipts = [];
      for (let n = 0; n < 10; n++) receipts.push(await queue.append({ surface: `${writer}/${n}` }));
      return receipts;
    });
    const receipts = (await Promise.all(writers)).flat();
    expect(new Set(receipts.map(({ ulid }) => ulid)).size).toBe(500);
    const seen: string[] = [];
    expect(await queue.ingestPending((record) => void seen.push(record.surface))).toBe(500);
    expect(new Set(seen).size).toBe(500);
  });

  it("Q7: makes no directory scan but the first, however many are pending", async () => {
    const { fs, calls } = faultyFs();
    const queue = newQueue({ fs });
    for (let n = 0; n < 20; n++) await queue.append({ surface: `${n}` });
    expect(
      calls.filter(({ method, args }) => method === "names" && args[0] === queue.layout.dir),
    ).toHaveLength(1);
  });

  it("Q7: 64 concurrent appends share directory fsyncs", async () => {
    const { fs, calls } = faultyFs();
    const queue = newQueue({ fs });
    await Promise.all(Array.from({ length: 64 }, (_, n) => queue.append({ surface: `${n}` })));
    const fsyncs = calls.filter(({ method }) => method === "fsync").length;
    expect(fsyncs - 64).toBeGreaterThan(0);
    expect(fsyncs - 64).toBeLessThan(64);
  });

  it("Q6: ids continue behind the newest on disk after a restart with the clock stepped back", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const clock = new ManualClock();
    const { ulid } = await new CaptureQueue({ queueDir, clock }).append({ surface: "before" });
    clock.step(-3_600_000);
    const after = await new CaptureQueue({ queueDir, clock }).append({ surface: "after" });
    expect(after.ulid > ulid).toBe(true);
  });

  it("Q6: ids continue behind the high-water id when the queue is empty", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const clock = new ManualClock();
    const queue = new CaptureQueue({ queueDir, clock });
    const { ulid } = await queue.append({ surface: "before" });
    await queue.ingestPending(() => {});
    clock.step(-3_600_000);
    const after = await new CaptureQueue({ queueDir, clock }).append({ surface: "after" });
    expect(after.ulid > ulid).toBe(true);
  });

  it("Q6: an id far ahead on disk is ignored with an event", async () => {
    const queueDir = join(freshDirectory(), "queue");
    const future = new ManualClock(Date.now() + 100 * 3_600_000);
    await new CaptureQueue({ queueDir, clock: future }).append({ surface: "future" });
    const events = new RecordedEvents();
    const queue = new CaptureQueue({ queueDir, events });
    const { ulid } = await queue.append({ surface: "now" });
    expect(events.all.map(({ event }) => event)).toContain("id_ahead_ignored");
    expect((await queue.listPending())[0]?.ulid).toBe(ulid);
  });

  it("Q6: 20 appends list oldest first", async () => {
    const queue = newQueue();
    const made: string[] = [];
    for (let n = 0; n < 20; n++) made.push((await queue.append({ surface: `${n}` })).ulid);
    const listed = await queue.listPending();
    expect(listed.map(({ ulid }) => ulid)).toEqual(made);
    expect(listed.every(({ path }) => existsSync(path))).toBe(true);
  });

  it("Q13: touches nothing before the first append, and an absent queue is empty", async () => {
    const dir = join(freshDirectory(), "not", "yet", "queue");
    const queue = new CaptureQueue({ queueDir: dir });
    expect(await queue.pendingCount()).toBe(0);
    expect(await queue.listPending()).toEqual([]);
    expect(existsSync(dir)).toBe(false);
  });

  it("Q12: created parent directories are fsynced in their parents", async () => {
    const { nodeDurableFsSync } = await import("../../src/platform/durable-fs-sync.ts");
    const home = freshDirectory();
    const synced: string[] = [];
    const opened = new Map<number, string>();
    const fsSync = {
      ...nodeDurableFsSync,
      openDirectory: (path: string) => {
        const fd = nodeDurableFsSync.openDirectory(path);
        opened.set(fd, path);
        return fd;
      },
      fsync: (fd: number) => {
        synced.push(opened.get(fd) ?? "");
        nodeDurableFsSync.fsync(fd);
      },
    };
    const queue = new CaptureQueue({ queueDir: join(home, "a", "b", "queue"), fsSync });
    await queue.append({ surface: "x" });
    expect(synced).toEqual(
      expect.arrayContaining([home, join(home, "a"), join(home, "a", "b"), queue.layout.dir]),
    );
  });

  it("X1: directories are 0700 and files 0600, also under a loose umask", async () => {
    const before = process.umask(0);
    try {
      const queue = newQueue();
      const { ulid } = await queue.append({ surface: "private" });
      const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
      expect(mode(queue.layout.dir)).toBe("700");
      expect(mode(queue.layout.quarantineDir)).toBe("700");
      expect(mode(join(queue.layout.dir, `pending-${ulid}.json`))).toBe("600");
    } finally {
      process.umask(before);
    }
  });

  it("X1: a symlink where a directory of the queue should be is refused by name", async () => {
    const home = freshDirectory();
    const elsewhere = join(home, "elsewhere");
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(home, "queue"));
    const queue = new CaptureQueue({ queueDir: join(home, "queue") });
    const error = await rejection(queue.append({ surface: "x" }));
    expect(error.code).toBe("UNSAFE_PATH");
    expect(error.message).toContain(join(home, "queue"));
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("Q4: a file where the directory should be is DATA_DIR_UNUSABLE, and the next append tries again", async () => {
    const home = freshDirectory();
    writeFileSync(join(home, "queue"), "in the way");
    const queue = new CaptureQueue({ queueDir: join(home, "queue") });
    expect((await rejection(queue.append({ surface: "x" }))).code).toBe("DATA_DIR_UNUSABLE");
    rmSync(join(home, "queue"));
    expect((await queue.append({ surface: "x" })).state).toBe("pending");
  });

  it("Q4: a queue directory that was removed meanwhile is made again", async () => {
    const queue = newQueue();
    await queue.append({ surface: "one" });
    rmSync(queue.layout.dir, { recursive: true });
    const { ulid } = await queue.append({ surface: "two" });
    expect(visible(queue)).toEqual([`pending-${ulid}.json`]);
  });

  it("Q3: refuses beyond the configured limit, naming limit and size, and stores nothing", async () => {
    const queue = newQueue({ textBytesMax: 4 });
    const error = await rejection(queue.append({ surface: "12345" }));
    expect(error.code).toBe("RECORD_TOO_LARGE");
    expect(error.message).toContain("5 bytes, the limit is 4");
    expect(await queue.pendingCount()).toBe(0);
  });

  it("L1: capture_appended follows the directory fsync, capture_failed follows the removal", async () => {
    const order: string[] = [];
    const { fs, fail } = faultyFs();
    const noting = {
      ...fs,
      fsync: async (fd: number) => {
        await fs.fsync(fd);
        order.push("fsync");
      },
    };
    const queue = newQueue({ fs: noting, events: { emit: (event) => void order.push(event) } });
    await queue.append({ surface: "x" });
    expect(order).toEqual(["fsync", "fsync", "capture_appended"]);
    fail({ method: "link", errno: "EIO" });
    await rejection(queue.append({ surface: "x" }));
    expect(order.at(-1)).toBe("capture_failed");
  });

  it("Q1: after close further appends are refused, those under way end as they would", async () => {
    const queue = newQueue();
    const underWay = queue.append({ surface: "x" });
    await queue.close();
    await queue.close();
    expect((await underWay).state).toBe("pending");
    expect((await rejection(queue.append({ surface: "y" }))).code).toBe("SHUTTING_DOWN");
  });
});
