import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { pendingPath } from "../../src/queue/layout.ts";
import { faultyFs, faultyFsSync, systemError } from "../support/faulty-fs.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ownScene } from "../support/mortal-runs.ts";
import { drainAll, type MortalScene, pendingIds, spoil } from "../support/mortal-scene.ts";
import { RecordedEvents } from "../support/recorded-events.ts";
import { fatDisk, readOnlyDisk } from "../support/small-disk.ts";
import { storedRows } from "../support/stored-truth.ts";

const TEXTS = ["first \ud800", "second \u0000", "third"];

function homed(): string {
  return join(freshDirectory(), "home");
}

async function appendAll(queue: CaptureQueue): Promise<string[]> {
  const ulids: string[] = [];
  for (const surface of TEXTS) ulids.push((await queue.append({ surface })).ulid);
  return ulids;
}

/** Captures, damages one, drains: two in the store, one in quarantine, nothing left. */
async function captureSpoilDrain(scene: MortalScene, queue: CaptureQueue): Promise<void> {
  const ulids = await appendAll(queue);
  spoil(scene, ulids[1] as string);
  await drainAll(scene, 1);
  expect((await storedRows(scene.home)).map(({ surface }) => surface)).toEqual([
    TEXTS[0],
    TEXTS[2],
  ]);
  expect(readdirSync(scene.layout.quarantineDir)).toContain(`pending-${ulids[1]}.json`);
  expect(pendingIds(scene)).toEqual([]);
}

describe("a place without something", () => {
  it("X3: a directory that can not be fsynced: captures, ingest and quarantine go on, and it is said once", async () => {
    const events = new RecordedEvents();
    const { fs, fsSync } = withoutDirectoryFsync();
    const scene = { ...ownScene(homed(), 0), fs, fsSync };
    const queue = new CaptureQueue({ queueDir: scene.layout.dir, fs, fsSync, events });
    await captureSpoilDrain(scene, queue);
    await queue.close();
    expect(events.named("directory_fsync_missing")).toEqual([{ errno: "EINVAL" }]);
  });

  it("X3: the control: an fsync of the directory that fails with EIO is still no receipt", async () => {
    const { fs, fail } = faultyFs();
    const queue = new CaptureQueue({ queueDir: join(freshDirectory(), "queue"), fs });
    await queue.append({ surface: "opens the directory" });
    fail({ method: "fsync", nth: 2, errno: "EIO" });
    await expect(queue.append({ surface: "unsure" })).rejects.toMatchObject({
      code: "CAPTURE_FAILED",
      details: { stored: "unknown", errno: "EIO", step: "directory fsync" },
    });
    await queue.close();
  });

  it("X3: without hard links all of it goes on by renames", async () => {
    const { fs, fail } = faultyFs();
    const sync = faultyFsSync();
    fail({ method: "link", errno: "EPERM" });
    sync.fail({ method: "link", errno: "EPERM" });
    const scene = { ...ownScene(homed(), 0), fs, fsSync: sync.fs };
    const queue = new CaptureQueue({ queueDir: scene.layout.dir, fs, fsSync: sync.fs });
    await captureSpoilDrain(scene, queue);
    await queue.close();
  });

  it("X3: a real FAT file system, which has neither hard links nor modes", async (context) => {
    const disk = fatDisk(context);
    const scene = ownScene(join(disk, "home"), 0);
    const queue = new CaptureQueue({ queueDir: scene.layout.dir });
    await captureSpoilDrain(scene, queue);
    await queue.close();
  });

  it("Q4: a read-only file system says so, names the step, and stored nothing", async (context) => {
    const { disk, makeReadOnly } = readOnlyDisk(context);
    const before = new CaptureQueue({ queueDir: join(disk, "queue") });
    await before.append({ surface: "while it was writable" });
    await before.close(); // a file that is open for writing keeps the disk writable
    makeReadOnly();
    const queue = new CaptureQueue({ queueDir: join(disk, "queue") });
    const error = await queue.append({ surface: "refused" }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "CAPTURE_FAILED",
      details: { stored: "no", errno: "EROFS" },
      message: expect.stringMatching(/read-only.*MEMSPOOL_HOME/),
    });
    const anew = new CaptureQueue({ queueDir: join(disk, "other", "queue") });
    await expect(anew.append({ surface: "refused" })).rejects.toMatchObject({
      code: "DATA_DIR_UNUSABLE",
      details: { stored: "no", errno: "EROFS", path: join(disk, "other") },
      message: expect.stringContaining(join(disk, "other")),
    });
    expect(await queue.pendingCount()).toBe(1);
    await Promise.all([queue.close(), anew.close()]);
  });
});

describe("something in the way", () => {
  it.each([
    ["a file where the queue should be", (path: string) => writeFileSync(path, "theirs")],
    ["a symlink where the queue should be", (path: string) => symlinkSync(freshDirectory(), path)],
  ])("X1: %s is named with its path, and nothing is written", async (_what, put) => {
    const home = freshDirectory();
    const queueDir = join(home, "queue");
    put(queueDir);
    const queue = new CaptureQueue({ queueDir });
    await expect(queue.append({ surface: "refused" })).rejects.toMatchObject({
      details: { stored: "no", path: queueDir },
      message: expect.stringContaining(queueDir),
    });
    await queue.close();
  });

  it.each(["quarantine", "done", "overflow", "ingester"])(
    "X1: a file where %s should be is named with its path, and a capture says that nothing is stored",
    async (name) => {
      const queueDir = join(freshDirectory(), "queue");
      mkdirSync(queueDir);
      writeFileSync(join(queueDir, name), "theirs");
      const queue = new CaptureQueue({ queueDir });
      await expect(queue.append({ surface: "refused" })).rejects.toMatchObject({
        code: "DATA_DIR_UNUSABLE",
        details: { stored: "no", path: join(queueDir, name) },
        message: expect.stringContaining(join(queueDir, name)),
      });
      await queue.close();
    },
  );

  it("Q9: directories, symlinks and foreign files among the records lose nothing and stop nobody", async () => {
    const scene = ownScene(homed(), 0);
    const queue = new CaptureQueue({ queueDir: scene.layout.dir });
    await appendAll(queue);
    const idLike = (last: string) => pendingPath(scene.layout, `01JNXE5M00ABCDEFGHJKMNPQR${last}`);
    mkdirSync(idLike("A"));
    symlinkSync("/nowhere", idLike("B"));
    writeFileSync(join(scene.layout.dir, "notes.txt"), "theirs");
    writeFileSync(join(scene.layout.dir, "pending-short.json"), "theirs");
    mkdirSync(join(scene.layout.overflowDir, "theirs"));
    writeFileSync(join(scene.layout.doneDir, "theirs.gz"), "no gzip");
    await drainAll(scene, 1);
    expect((await storedRows(scene.home)).map(({ surface }) => surface)).toEqual(TEXTS);
    const names = readdirSync(scene.layout.dir);
    expect(names).toEqual(expect.arrayContaining(["notes.txt", "pending-short.json"]));
    expect(readdirSync(scene.layout.quarantineDir)).toEqual(
      expect.arrayContaining(
        ["A", "B"].map((last) => `pending-01JNXE5M00ABCDEFGHJKMNPQR${last}.json`),
      ),
    );
    await queue.close();
  });

  it("Q4: a directory that may not be written is named with what to do", async () => {
    if (process.getuid?.() === 0) {
      // The super-user is refused nothing: the answer of the kernel is played.
      const { fs, fail } = faultyFs();
      const queue = new CaptureQueue({ queueDir: join(freshDirectory(), "queue"), fs });
      await queue.append({ surface: "while it was ours" });
      fail({ method: "openExclusive", errno: "EACCES" });
      await expect(queue.append({ surface: "refused" })).rejects.toMatchObject({
        details: { stored: "no", errno: "EACCES" },
        message: expect.stringContaining("memspool doctor"),
      });
      await queue.close();
      return;
    }
    const home = freshDirectory();
    chmodSync(home, 0o500);
    onTestFinished(() => chmodSync(home, 0o700));
    const queue = new CaptureQueue({ queueDir: join(home, "queue") });
    await expect(queue.append({ surface: "refused" })).rejects.toMatchObject({
      code: "DATA_DIR_UNUSABLE",
      details: { stored: "no", errno: "EACCES", path: join(home, "queue") },
    });
    await queue.close();
  });
});

/** Files can be fsynced, directories answer as some network file systems do. */
function withoutDirectoryFsync(): { fs: DurableFs; fsSync: DurableFsSync } {
  const directories = new Set<number>();
  return {
    fs: {
      ...nodeDurableFs,
      openDirectory: async (path) => noted(directories, await nodeDurableFs.openDirectory(path)),
      fsync: async (fd) => {
        if (directories.has(fd)) throw systemError("EINVAL");
        await nodeDurableFs.fsync(fd);
      },
      close: async (fd) => {
        directories.delete(fd);
        await nodeDurableFs.close(fd);
      },
    },
    fsSync: {
      ...nodeDurableFsSync,
      openDirectory: (path) => noted(directories, nodeDurableFsSync.openDirectory(path)),
      fsync: (fd) => {
        if (directories.has(fd)) throw systemError("EINVAL");
        nodeDurableFsSync.fsync(fd);
      },
      close: (fd) => {
        directories.delete(fd);
        nodeDurableFsSync.close(fd);
      },
    },
  };
}

function noted(directories: Set<number>, fd: number): number {
  directories.add(fd);
  return fd;
}
