import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { isLeftover, pendingPath } from "../../src/queue/layout.ts";
import { decodeEnvelope } from "../../src/record/envelope.ts";
import { addCrashRow, rounds } from "../support/crash-table.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { ownScene } from "../support/mortal-runs.ts";
import { drainAll } from "../support/mortal-scene.ts";
import { fillDisk, smallDisk } from "../support/small-disk.ts";
import { damage, NO_DAMAGE, storedRows } from "../support/stored-truth.ts";

const RIG = "really full";
const PAGE = 4_096;
/** Pages of a 64 KiB disk that an envelope can have. */
const PAGES_MAX = 16;
/** More captures than fit into the smallest disk here. */
const CAPTURES_MAX = 64;

interface Kept {
  readonly ulid: string;
  readonly surface: string;
}

/** Captures until the disk is full; the failure must say that nothing is stored. */
async function captureUntilFull(queue: CaptureQueue, surface: string): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (let n = 0; n < CAPTURES_MAX; n++) {
    try {
      kept.push({ ulid: (await queue.append({ surface })).ulid, surface });
    } catch (error) {
      expect(error).toBeInstanceOf(MemspoolError);
      expect((error as MemspoolError).code).toBe("CAPTURE_FAILED");
      expect((error as MemspoolError).details).toMatchObject({ stored: "no", errno: "ENOSPC" });
      return kept;
    }
  }
  throw new Error("the disk does not fill");
}

/** Acknowledged ids whose file is not whole with the very text. */
function notWhole(queue: CaptureQueue, kept: readonly Kept[]): string[] {
  return kept
    .filter(({ ulid, surface }) => {
      try {
        const envelope = decodeEnvelope(readFileSync(pendingPath(queue.layout, ulid)), ulid);
        return envelope.record.surface !== surface;
      } catch {
        return true;
      }
    })
    .map(({ ulid }) => ulid);
}

function leftovers(queue: CaptureQueue): string[] {
  return readdirSync(queue.layout.dir).filter(isLeftover);
}

function removePending(queue: CaptureQueue): void {
  for (const name of readdirSync(queue.layout.dir)) {
    if (name.startsWith("pending-")) rmSync(join(queue.layout.dir, name));
  }
}

/** Length of a text whose envelope has so many bytes. */
async function textLengthFor(envelopeBytes: number): Promise<number> {
  const queue = new CaptureQueue({ queueDir: join(freshDirectory(), "queue") });
  const { ulid } = await queue.append({ surface: "x" });
  await queue.close();
  return envelopeBytes - statSync(pendingPath(queue.layout, ulid)).size + 1;
}

/** Bytes around every page boundary that a disk of 64 KiB has. */
const SIZES = Array.from({ length: PAGES_MAX }, (_, page) =>
  [-1, 0, 1].map((beside) => (page + 1) * PAGE + beside),
).flat();

describe("a disk that is really full", () => {
  it("Q4: 64 KiB, every envelope size around a page boundary: acknowledged files are whole, and captures work again", async (context) => {
    const disk = smallDisk(context, "size=64k");
    const queue = new CaptureQueue({ queueDir: join(disk, "queue") });
    const base = await textLengthFor(0);
    const broken: string[] = [];
    let tried = 0;
    for (const size of SIZES) {
      const surface = "x".repeat(base + size);
      const kept = await captureUntilFull(queue, surface);
      expect(kept.length, `${size} bytes`).toBeLessThanOrEqual(PAGES_MAX);
      if (kept.length > 0) {
        expect(statSync(pendingPath(queue.layout, kept[0]?.ulid as string)).size).toBe(size);
      }
      broken.push(...notWhole(queue, kept));
      expect(leftovers(queue)).toEqual([]);
      removePending(queue);
      const again = await queue.append({ surface: "after space came back" });
      expect(notWhole(queue, [{ ...again, surface: "after space came back" }])).toEqual([]);
      removePending(queue);
      tried += kept.length + 1;
    }
    await queue.close();
    expect(broken).toEqual([]);
    addCrashRow({
      rig: RIG,
      operation: "capture",
      fault: "64 KiB tmpfs, full",
      tried,
      lost: 0,
      altered: broken.length,
      twice: 0,
    });
  });

  it("Q4: 8 inodes: a capture that gets none says that nothing is stored, and works again", async (context) => {
    const disk = smallDisk(context, "nr_inodes=8");
    const queue = new CaptureQueue({ queueDir: join(disk, "queue") });
    let tried = 0;
    for (let round = 0; round < rounds(3, 30); round++) {
      const kept = await captureUntilFull(queue, `round ${round}`);
      expect(kept.length).toBeGreaterThan(0);
      expect(notWhole(queue, kept)).toEqual([]);
      expect(leftovers(queue)).toEqual([]);
      removePending(queue);
      tried += kept.length + 1;
    }
    await queue.close();
    addCrashRow({
      rig: RIG,
      operation: "capture",
      fault: "8 inodes, full",
      tried,
      lost: 0,
      altered: 0,
      twice: 0,
    });
  });

  it("Q4: too few inodes for the directories: nothing is stored, and it works with more", async (context) => {
    const disk = smallDisk(context, "nr_inodes=4");
    const queue = new CaptureQueue({ queueDir: join(disk, "queue") });
    await expect(queue.append({ surface: "no room" })).rejects.toMatchObject({
      code: "CAPTURE_FAILED",
      details: { stored: "no", errno: "ENOSPC" },
    });
    await queue.close();
  });

  it("the rig catches: a writer that does not look how much was written", async (context) => {
    const disk = smallDisk(context, "size=64k");
    const lying: DurableFs = {
      ...nodeDurableFs,
      write: async (fd, bytes, offset, length) => {
        await nodeDurableFs.write(fd, bytes, offset, length);
        return length;
      },
    };
    const sized = new Map<number, number>();
    const blind: DurableFs = {
      ...lying,
      write: async (fd, bytes, offset, length) => {
        sized.set(fd, length);
        return lying.write(fd, bytes, offset, length);
      },
      size: async (fd) => sized.get(fd) ?? 0,
    };
    const queue = new CaptureQueue({ queueDir: join(disk, "queue"), fs: blind });
    const surface = "x".repeat(12_000);
    const kept = await captureUntilFull(queue, surface);
    const broken = notWhole(queue, kept);
    await queue.close();
    expect(broken.length).toBeGreaterThan(0);
    addCrashRow({
      rig: RIG,
      operation: "a writer that ignores short writes",
      fault: "negative control",
      tried: kept.length,
      lost: 0,
      altered: broken.length,
      twice: 0,
      caught: true,
    });
  });
});

describe("the ingester on a full disk", () => {
  it("Q9: with the queue's disk full nothing leaves the queue, and all of it arrives when there is space", async (context) => {
    const disk = smallDisk(context, "size=64k");
    const home = freshDirectory();
    const scene = ownScene(home, 0);
    const full = { ...scene, layout: new CaptureQueue({ queueDir: join(disk, "queue") }).layout };
    const queue = new CaptureQueue({ queueDir: full.layout.dir });
    const kept: Kept[] = [];
    for (let n = 0; n < 3; n++) {
      const surface = `text ${n}`;
      kept.push({ ulid: (await queue.append({ surface })).ulid, surface });
    }
    await queue.close();
    const filler = fillDisk(disk);
    await expect(drainAll(full)).rejects.toMatchObject({ code: "ENOSPC" });
    expect(notWhole(queue, kept)).toEqual([]);
    rmSync(filler);
    await drainAll(full);
    const found = damage(kept, await storedRows(home));
    expect(found).toEqual(NO_DAMAGE);
    expect(await queue.pendingCount()).toBe(0);
    addCrashRow({
      rig: RIG,
      operation: "ingest by batch",
      fault: "64 KiB tmpfs, full",
      tried: kept.length,
      lost: 0,
      altered: 0,
      twice: 0,
    });
  });
});
