import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import * as library from "../../src/index.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { queueLayout } from "../../src/queue/layout.ts";
import { faultyFs, faultyFsSync, systemError } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ManualClock } from "../support/manual-clock.ts";

const { CaptureQueue } = library;
const ULID = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
const newDir = () => join(freshDirectory(), "queue");

describe("what the library exports", () => {
  it("Q1: has the names that other programs rely on", () => {
    expect(Object.keys(library)).toEqual(
      expect.arrayContaining([
        "CaptureQueue",
        "CaptureQueueSchemaError",
        "DEFAULT_MAX_SIZE",
        "SCHEMA_VERSION",
        "generateUlid",
      ]),
    );
    expect([library.DEFAULT_MAX_SIZE, library.SCHEMA_VERSION]).toEqual([10_000, 1]);
  });

  it("Q1: takes options of a later version without stumbling", async () => {
    const later = { queueDir: newDir(), quotaMb: 100, compress: "zstd" };
    const queue = new CaptureQueue(later);
    await queue.append({ surface: "x" });
    expect([await queue.pendingCount(), await queue.ingestPending(() => {})]).toEqual([1, 1]);
  });

  it("Q3: refuses a limit beyond what a reader of the queue takes, and other impossible options", () => {
    const build = (options: object) => () => new CaptureQueue({ queueDir: newDir(), ...options });
    expect(build({ textBytesMax: 1_048_577 })).toThrow(TypeError);
    expect(build({ textBytesMax: Number.NaN })).toThrow(TypeError);
    expect(build({ attemptsMax: 0 })).toThrow(TypeError);
    expect(build({ textBytesMax: 1_048_576, attemptsMax: 1 })).not.toThrow();
  });

  it("Q13: a relative directory is fixed when it is given", () => {
    expect(queueLayout("some/queue").dir).toBe(resolve("some/queue"));
    const dir = newDir();
    expect(queueLayout(relative(process.cwd(), dir)).dir).toBe(dir);
  });
});

describe("append at the edges", () => {
  it("X1: a trailing slash does not lead through a symlink", async () => {
    const dir = newDir();
    const elsewhere = `${dir}-elsewhere`;
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, dir);
    const append = new CaptureQueue({ queueDir: `${dir}/` }).append({ surface: "x" });
    await expect(append).rejects.toMatchObject({
      code: "UNSAFE_PATH",
      details: { stored: "no" },
    });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("Q4: takes retry_ulid by the name that tools and errors give it", async () => {
    const queue = new CaptureQueue({ queueDir: newDir() });
    expect((await queue.append({ surface: "x" }, { retry_ulid: ULID })).ulid).toBe(ULID);
  });

  it("Q4: the receipt of a repeated append has the time that is on disk", async () => {
    const clock = new ManualClock();
    const queue = new CaptureQueue({ queueDir: newDir(), clock });
    const first = await queue.append({ surface: "x" }, { retryUlid: ULID });
    clock.advance(60_000);
    expect(await queue.append({ surface: "x" }, { retryUlid: ULID })).toEqual(first);
    const path = join(queue.layout.dir, `pending-${ULID}.json`);
    expect(JSON.parse(readFileSync(path, "utf8")).appended_at).toBe(first.appended_at);
  });

  it("Q4: on a read-only file system nothing was stored, and it says so", async () => {
    const queue = new CaptureQueue({
      queueDir: newDir(),
      fs: {
        ...nodeDurableFs,
        openExclusive: () => Promise.reject(systemError("EROFS")),
        unlink: () => Promise.reject(systemError("EROFS")), // before it looks at the name
      },
    });
    await expect(queue.append({ surface: "x" })).rejects.toMatchObject({
      code: "CAPTURE_FAILED",
      details: { stored: "no", errno: "EROFS" },
    });
  });

  it.each([
    ["makeDirectory", "ENOSPC"],
    ["openDirectory", "EMFILE"],
    ["fsync", "EIO"],
  ])(
    "Q4: %s failing with %s before the first append is retryable, stored no",
    async (method, errno) => {
      const { fs, fail } = faultyFsSync();
      const queue = new CaptureQueue({ queueDir: newDir(), fsSync: fs });
      fail({ method, nth: 1, errno });
      await expect(queue.append({ surface: "x" })).rejects.toMatchObject({
        code: "CAPTURE_FAILED",
        retryable: true,
        details: { stored: "no", errno },
      });
      expect(await queue.pendingCount()).toBe(0);
      expect((await queue.append({ surface: "x" })).state).toBe("pending");
    },
  );

  it("Q4: a directory that vanishes under the temp file is made again, and the record published", async () => {
    const queue = new CaptureQueue({
      queueDir: newDir(),
      fs: {
        ...nodeDurableFs,
        link: async (from, to) => {
          if (!surprised) rmSync(queue.layout.dir, { recursive: true });
          surprised = true;
          await nodeDurableFs.link(from, to);
        },
      },
    });
    let surprised = false;
    const { ulid } = await queue.append({ surface: "x" });
    expect((await queue.listPending()).map((pending) => pending.ulid)).toEqual([ulid]);
  });

  it("Q4: a queue directory that can not be listed is CAPTURE_FAILED, stored no", async () => {
    const { fs, fail } = faultyFs();
    const queue = new CaptureQueue({ queueDir: newDir(), fs });
    fail({ method: "names", nth: 1, errno: "EMFILE" });
    await expect(queue.append({ surface: "x" })).rejects.toMatchObject({
      code: "CAPTURE_FAILED",
      details: { stored: "no", errno: "EMFILE" },
    });
  });

  it("X2: a retry onto a name that holds no envelope is a conflict, and reads nothing huge", async () => {
    const { fs, calls } = faultyFs();
    const queue = new CaptureQueue({ queueDir: newDir(), fs });
    await queue.append({ surface: "warm" });
    const path = join(queue.layout.dir, `pending-${ULID}.json`);
    writeFileSync(path, "");
    truncateSync(path, 1_000_000_000);
    const retry = () => queue.append({ surface: "x" }, { retryUlid: ULID });
    await expect(retry()).rejects.toMatchObject({ code: "ULID_CONFLICT" });
    expect(calls.filter(({ method, args }) => method === "read" && args[0] === path)).toEqual([]);
    rmSync(path);
    mkdirSync(path);
    await expect(retry()).rejects.toMatchObject({ code: "ULID_CONFLICT" });
  });

  it("Q12: what an earlier process made and did not live to sync is synced, up to the root", async () => {
    const home = freshDirectory();
    mkdirSync(join(home, "a", "b", "queue"), { recursive: true });
    const synced: (string | undefined)[] = [];
    const opened = new Map<number, string>();
    const fsSync = {
      ...nodeDurableFsSync,
      openDirectory: (path: string) => {
        const fd = nodeDurableFsSync.openDirectory(path);
        opened.set(fd, path);
        return fd;
      },
      fsync: (fd: number) => {
        synced.push(opened.get(fd));
        nodeDurableFsSync.fsync(fd);
      },
    };
    await new CaptureQueue({ queueDir: join(home, "a", "b", "queue"), fsSync }).append({
      surface: "x",
    });
    expect(synced).toEqual(
      expect.arrayContaining([join(home, "a", "b", "queue"), join(home, "a"), home, "/"]),
    );
  });
});

describe("ingestPending at the edges", () => {
  it("Q8: without a function it is a TypeError, and no record is touched", async () => {
    const queue = new CaptureQueue({ queueDir: newDir() });
    await queue.append({ surface: "x" });
    await expect(queue.ingestPending(undefined as never)).rejects.toBeInstanceOf(TypeError);
    const marks = readdirSync(queue.layout.dir).filter((name) => name.endsWith(".lock"));
    expect(marks).toEqual([]);
  });

  it("Q8: a queue directory that was removed meanwhile is an empty queue", async () => {
    const queue = new CaptureQueue({ queueDir: newDir() });
    await queue.append({ surface: "x" });
    expect(await queue.ingestPending(() => {})).toBe(1);
    rmSync(queue.layout.dir, { recursive: true });
    expect(await queue.ingestPending(() => {})).toBe(0);
    expect(existsSync(queue.layout.quarantineDir)).toBe(true);
  });
});
