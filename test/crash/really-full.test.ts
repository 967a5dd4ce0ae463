import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { type DurableFs, nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { auditTail } from "../../src/queue/audit-read.ts";
import { CaptureQueue } from "../../src/queue/capture-queue.ts";
import { isLeftover, pendingPath, quarantinedUlid, queueLayout } from "../../src/queue/layout.ts";
import { keepReserve, RESERVE_FILE_COUNT } from "../../src/queue/reserve.ts";
import { decodeEnvelope } from "../../src/record/envelope.ts";
import { ServerProcess } from "../support/capturing-server.ts";
import { addCrashRow, rounds } from "../support/crash-table.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { until } from "../support/ingest-bench.ts";
import { ownScene } from "../support/mortal-runs.ts";
import { drainAll, type MortalScene, queueOf, spoil } from "../support/mortal-scene.ts";
import { fillDisk, smallDisk } from "../support/small-disk.ts";
import {
  countDamage,
  type Damage,
  damage,
  NO_DAMAGE,
  storedRows,
} from "../support/stored-truth.ts";

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

const NO_HARM = { lost: 0, altered: 0, twice: 0 };

/** Acknowledged records without a file, and those whose file is not whole. No store is asked. */
function damageOf(queue: CaptureQueue, kept: readonly Kept[]): typeof NO_HARM {
  const broken = notWhole(queue, kept);
  const lost = broken.filter((ulid) => !existsSync(pendingPath(queue.layout, ulid)));
  return { lost: lost.length, altered: broken.length - lost.length, twice: 0 };
}

function addTo(sum: typeof NO_HARM, more: typeof NO_HARM): void {
  sum.lost += more.lost;
  sum.altered += more.altered;
}

function leftovers(queue: CaptureQueue): string[] {
  return readdirSync(queue.layout.dir).filter(isLeftover);
}

/** Gives back every block and inode but the directories'. */
function removeFiles(queue: CaptureQueue): void {
  for (const name of readdirSync(queue.layout.dir)) {
    if (/^(?:pending|\.ledger)-/.test(name)) rmSync(join(queue.layout.dir, name));
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
    const harm = { ...NO_HARM };
    let tried = 0;
    for (const size of SIZES) {
      const surface = "x".repeat(base + size);
      const kept = await captureUntilFull(queue, surface);
      expect(kept.length, `${size} bytes`).toBeLessThanOrEqual(PAGES_MAX);
      if (kept.length > 0) {
        expect(statSync(pendingPath(queue.layout, kept[0]?.ulid as string)).size).toBe(size);
      }
      addTo(harm, damageOf(queue, kept));
      expect(leftovers(queue)).toEqual([]);
      removeFiles(queue);
      const again = await queue.append({ surface: "after space came back" });
      expect(notWhole(queue, [{ ...again, surface: "after space came back" }])).toEqual([]);
      removeFiles(queue);
      tried += kept.length + 1;
    }
    await queue.close();
    addCrashRow({ rig: RIG, operation: "capture", fault: "64 KiB tmpfs, full", tried, ...harm });
    expect(harm).toEqual(NO_HARM);
  });

  it("Q4: 8 inodes: a capture that gets none says that nothing is stored, and works again", async (context) => {
    const disk = smallDisk(context, "nr_inodes=8");
    const harm = { ...NO_HARM };
    let tried = 0;
    for (let round = 0; round < rounds(3, 30); round++) {
      const queue = new CaptureQueue({ queueDir: join(disk, "queue") });
      const kept = await captureUntilFull(queue, `round ${round}`);
      expect(kept.length).toBeGreaterThan(0);
      addTo(harm, damageOf(queue, kept));
      expect(leftovers(queue)).toEqual([]);
      await queue.close(); // a file that is held open keeps its inode
      removeFiles(queue);
      tried += kept.length + 1;
    }
    addCrashRow({ rig: RIG, operation: "capture", fault: "8 inodes, full", tried, ...harm });
    expect(harm).toEqual(NO_HARM);
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
    const harm = { ...NO_HARM };
    let tried = 0;
    for (let pages = 3; pages < PAGES_MAX; pages++) {
      const some = await captureUntilFull(queue, "x".repeat(pages * PAGE));
      tried += some.length;
      addTo(harm, damageOf(queue, some));
      removeFiles(queue);
    }
    await queue.close();
    const caught = harm.altered > 0;
    const fault = "a writer that ignores short writes";
    addCrashRow({ rig: RIG, operation: "capture", fault, tried, ...harm, caught });
    expect(caught).toBe(true);
  });
});

/** A queue on the small disk, its store on the big one. */
function sceneOn(disk: string): MortalScene {
  return { ...ownScene(freshDirectory(), 0), layout: queueLayout(join(disk, "queue")) };
}

async function captureThree(scene: MortalScene, queue = queueOf(scene)): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (let n = 0; n < 3; n++) {
    const surface = `text ${n}`;
    kept.push({ ulid: (await queue.append({ surface })).ulid, surface });
  }
  return kept;
}

const quarantinedIn = (scene: MortalScene) =>
  readdirSync(scene.layout.quarantineDir).flatMap((name) => quarantinedUlid(name) ?? []);
const reserveIn = (scene: MortalScene) =>
  readdirSync(scene.layout.dir).filter((name) => name.startsWith(".reserve-"));

describe("the ingester on a full disk", () => {
  it("Q9: with the queue's disk full nothing leaves the queue, and all of it arrives when there is space", async (context) => {
    const scene = sceneOn(smallDisk(context, "size=64k"));
    const queue = queueOf(scene);
    const kept = await captureThree(scene, queue);
    const filler = fillDisk(join(scene.layout.dir, ".."));
    await expect(drainAll(scene)).rejects.toMatchObject({ code: "ENOSPC" });
    expect(notWhole(queue, kept)).toEqual([]);
    rmSync(filler);
    await drainAll(scene);
    const found = damage(kept, await storedRows(scene.home));
    expect(found).toEqual(NO_DAMAGE);
    expect(await queue.pendingCount()).toBe(0);
    await queue.close();
    addFullRow("ingest by batch", "64 KiB tmpfs, full", kept.length, found);
  });

  it.for<[string, boolean]>([
    ["with the reserve a bad record is set aside although the disk is full", true],
    ["without it the bad record waits, and is set aside when there is space", false],
  ])("Q9: %s", async ([, reserved], context) => {
    const disk = smallDisk(context, "size=2m");
    const scene = sceneOn(disk);
    const queue = queueOf(scene);
    const kept = await captureThree(scene, queue);
    await queue.close();
    const spoiled = kept[1]?.ulid as string;
    spoil(scene, spoiled);
    const reserve = { fs: scene.fsSync, layout: scene.layout };
    if (reserved) expect(keepReserve(reserve)).toBe(true);
    const filler = fillDisk(disk);
    // The others wait for the archive, or find room for it in what is left of the reserve.
    await drainAll(scene, 1).catch((error: unknown) => {
      expect(error).toMatchObject({ code: "ENOSPC" });
    });
    expect(quarantinedIn(scene)).toEqual(reserved ? [spoiled] : []);
    expect(reserveIn(scene)).toEqual([]);
    rmSync(filler);
    await drainAll(scene, 1);
    expect(quarantinedIn(scene)).toEqual([spoiled]);
    const good = kept.filter(({ ulid }) => ulid !== spoiled);
    const found = damage(good, await storedRows(scene.home));
    expect(found).toEqual(NO_DAMAGE);
    expect(keepReserve(reserve)).toBe(true);
    const fault = `2 MiB tmpfs, full, ${reserved ? "with" : "without"} reserve`;
    addFullRow("quarantine", fault, kept.length, found);
  });

  it.for<["spill" | "drop-oldest", boolean]>([
    ["drop-oldest", true],
    ["drop-oldest", false],
    ["spill", true],
    ["spill", false],
  ])(
    "Q11: a full queue on a full disk, %s, reserve %s: lost on purpose or not at all",
    async ([overflow, reserved], context) => {
      const disk = smallDisk(context, "size=2m");
      const scene = sceneOn(disk);
      const queue = queueOf(scene, { maxSize: 3, overflow });
      const kept = await captureThree(scene, queue);
      if (reserved) expect(keepReserve({ fs: scene.fsSync, layout: scene.layout })).toBe(true);
      const filler = fillDisk(disk);
      const surface = "one more";
      const more = await queue.append({ surface }).then(
        ({ ulid }) => [{ ulid, surface }],
        (error: unknown) => {
          expect(error).toMatchObject({ details: { stored: "no" } });
          return [];
        },
      );
      if (overflow === "drop-oldest") expect(more).toHaveLength(reserved ? 1 : 0);
      rmSync(filler);
      kept.push(...more);
      const after = await queue.append({ surface: "with space again" });
      kept.push({ ulid: after.ulid, surface: "with space again" });
      await queue.close();
      const audit = [...auditTail(scene.fsSync, scene.layout, 1_000_000)];
      const dropped = new Set(
        audit
          .filter(({ disposition }) => disposition === "dropped")
          .map((line) => line.dropped_ulid),
      );
      await drainAll(scene);
      const found = damage(
        kept.filter(({ ulid }) => !dropped.has(ulid)),
        await storedRows(scene.home),
      );
      expect(found).toEqual(NO_DAMAGE);
      expect(dropped.size).toBe(overflow === "spill" ? 0 : more.length + 1);
      const fault = `2 MiB tmpfs, full, ${reserved ? "with" : "without"} reserve`;
      addFullRow(overflow, fault, kept.length, found);
    },
  );
});

describe("the reserve of a server", () => {
  it("Q9: the leader makes it once it is idle, and again after it was given up", async () => {
    const home = freshDirectory();
    const server = await ServerProcess.start(home);
    const scene = ownScene(home, 0);
    await server.capture("makes the queue");
    await until(() => expect(reserveIn(scene)).toHaveLength(RESERVE_FILE_COUNT));
    for (const name of reserveIn(scene)) rmSync(join(scene.layout.dir, name));
    await server.capture("wakes the leader");
    await until(() => expect(reserveIn(scene)).toHaveLength(RESERVE_FILE_COUNT));
  });
});

function addFullRow(operation: string, fault: string, tried: number, found: Damage): void {
  addCrashRow({ rig: RIG, operation, fault, tried, ...countDamage([found]) });
}
