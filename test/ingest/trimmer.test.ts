import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HELD_BACK_MS } from "../../src/ingest/held-back.ts";
import { LOOK_INTERVAL_MS_MAX } from "../../src/ingest/trimmer.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { pendingPath, tempPath } from "../../src/queue/layout.ts";
import { NOT_STOPPING, TrimScene, ulidOf } from "../support/done-files.ts";
import { storeAway } from "../support/fake-store.ts";
import { faultyFsSync } from "../support/faulty-fs.ts";
import { usageOf } from "../support/pressure-facts.ts";

const KB = 1_000;
const OLD = (hour: number) => `20260301-0${hour}-a.ndjson.gz`;
const CURRENT = "20260301-09-a.ndjson.gz";

/** Four files of earlier hours, 10 KB each, and one of this hour. */
function fourOldFiles(): TrimScene {
  const scene = new TrimScene();
  for (const hour of [4, 3, 6, 5]) scene.done(OLD(hour), 10 * KB);
  scene.done(CURRENT, 10 * KB);
  return scene;
}

describe("P3: what is trimmed", () => {
  it("P3: the oldest files first, until use is at or under soft, and no more", async () => {
    const scene = fourOldFiles();
    const total = scene.names().reduce((sum, name) => sum + scene.sizeOf(name), 0);
    const twoOldest = scene.sizeOf(OLD(3)) + scene.sizeOf(OLD(4));
    await scene.trimmer(total).run(NOT_STOPPING);
    expect(scene.names()).toHaveLength(5);
    await scene.trimmer(total - 1).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(4), OLD(5), OLD(6), CURRENT]);
    await scene.trimmer(total - twoOldest).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(5), OLD(6), CURRENT]);
    expect(scene.events.named("archive_trimmed")).toHaveLength(2);
  });

  it("P2: a disk that is nearly full is trimmed for, under soft too, until it has room", async () => {
    const scene = fourOldFiles();
    const measured = (freeBytes: number) =>
      scene.trimmer(1_000 * KB, nodeDurableFsSync, {
        freeBytesMin: 100 * KB,
        measure: async () => usageOf({ doneBytes: 50 * KB, freeBytes }),
      });
    await measured(105 * KB).run(NOT_STOPPING);
    expect(scene.names()).toHaveLength(5);
    await measured(105 * KB - 1).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(4), OLD(5), OLD(6), CURRENT]);
    await measured(90 * KB).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(6), CURRENT]);
    await measured(0).run(NOT_STOPPING);
    expect(scene.names()).toEqual([CURRENT]);
  });

  it("P3: one event a run, with what went and what is left, and a report", async () => {
    const scene = fourOldFiles();
    const trimmer = scene.trimmer(25 * KB);
    expect(trimmer.report).toBeNull();
    const sizes = [3, 4, 5].map((hour) => scene.sizeOf(OLD(hour)));
    const bytes = sizes.reduce((sum, size) => sum + size);
    scene.clock.advance(5);
    await trimmer.run(NOT_STOPPING);
    const left_bytes = scene.sizeOf(OLD(6)) + scene.sizeOf(CURRENT);
    expect(scene.events.all).toEqual([
      { event: "archive_trimmed", fields: { files: 3, bytes, left_bytes, ms: 0 } },
    ]);
    expect(trimmer.report).toEqual({ lastAtMs: scene.clock.nowMs(), bytes, heldBack: 0 });
  });

  it("P3: the process's own archive file is closed before one goes, or it would give no space", async () => {
    const scene = fourOldFiles();
    const before: number[] = [];
    const close = () => void before.push(scene.names().length);
    await scene.trimmer(35 * KB, nodeDurableFsSync, {}, { close }).run(NOT_STOPPING);
    expect(before).toEqual([5, 4]);
  });

  it("P3: never the current hour, nor one in the future, as after a clock that stepped back", async () => {
    const scene = fourOldFiles();
    scene.done("20260301-10-a.ndjson.gz", 10 * KB);
    scene.clock.step(-3 * 3_600_000); // it is 06:30 now
    await scene.trimmer(0).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(6), CURRENT, "20260301-10-a.ndjson.gz"]);
  });

  it("P3: not a file whose hour is no longer over when its turn comes", async () => {
    const scene = fourOldFiles();
    scene.beforeLookup = () => {
      if (scene.lookups === 2) scene.clock.step(-6 * 3_600_000);
    };
    await scene.trimmer(0).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(4), OLD(5), OLD(6), CURRENT]);
  });

  it("P3: never any other kind of file", async () => {
    const scene = new TrimScene();
    const { layout } = scene;
    const { dir, doneDir, overflowDir, quarantineDir } = layout;
    const old = new Date("2020-01-01");
    const paths = [
      join(doneDir, "notes.txt"),
      join(doneDir, "20200101-00-a.ndjson.gz.bak"),
      join(doneDir, "20200101-00-a.ndjson.gz.reason.json"),
      join(doneDir, `.tmp-${ulidOf(1)}-0123456789ab`),
      join(doneDir, "error-20200101-00.json"),
      join(overflowDir, `${ulidOf(1)}-${ulidOf(1)}-1-0123456789ab.ndjson.gz`),
      join(quarantineDir, `pending-${ulidOf(2)}.json`),
      join(quarantineDir, `pending-${ulidOf(2)}.reason.json`),
      join(dir, "20200101-00-a.ndjson.gz"),
      tempPath(layout, ulidOf(3)),
      pendingPath(layout, ulidOf(4)),
    ];
    for (const path of paths) {
      writeFileSync(path, Buffer.alloc(5_000));
      utimesSync(path, old, old);
    }
    mkdirSync(join(doneDir, "20200101-01-a.ndjson.gz"));
    symlinkSync(paths[0] as string, join(doneDir, "20200101-02-a.ndjson.gz"));
    scene.done("20200101-03-a.ndjson.gz", KB);
    await scene.trimmer(0).run(NOT_STOPPING);
    for (const path of paths) expect(statSync(path).size).toBe(5_000);
    expect(scene.names()).toHaveLength(7);
    expect(scene.names()).not.toContain("20200101-03-a.ndjson.gz");
  });

  it("P3: a file of duplicates and of forgotten records, and an empty one", async () => {
    const scene = new TrimScene();
    const [duplicate = "", forgotten = ""] = scene.done(OLD(3), KB, 2);
    const sha = { sha256: "", appendedAt: "" };
    scene.known.set(duplicate, { state: "duplicate", of: ulidOf(99), ...sha });
    scene.known.set(forgotten, { state: "forgotten", forgottenAt: "", reason: "" });
    writeFileSync(join(scene.layout.doneDir, OLD(4)), "");
    scene.done(OLD(5), KB);
    await scene.trimmer(0).run(NOT_STOPPING);
    expect(scene.names()).toEqual([]);
  });

  it("P3: a damaged file, when the store has all that can be read from it", async () => {
    const scene = new TrimScene();
    const [first = ""] = scene.done(OLD(3), KB, 3);
    const path = join(scene.layout.doneDir, OLD(3));
    appendFileSync(path, Buffer.alloc(700, 0x5a));
    scene.known.delete(first);
    await scene.trimmer(0).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(3)]);
    const next = fourOldFiles();
    appendFileSync(join(next.layout.doneDir, OLD(3)), Buffer.alloc(700, 0x5a));
    await next.trimmer(50 * KB).run(NOT_STOPPING);
    expect(next.names()).not.toContain(OLD(3));
  });
});

describe("P3: what the store has not committed stays", () => {
  it("P3: a file with one id that it lacks, told once, while newer ones go", async () => {
    const scene = fourOldFiles();
    const ids = scene.done(OLD(2), KB, 1_200);
    scene.known.delete(ids[1_100] as string);
    const trimmer = scene.trimmer(0);
    await trimmer.run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(2), CURRENT]);
    const heldBack = scene.sizeOf(OLD(2));
    expect(trimmer.report).toMatchObject({ heldBack });
    for (let n = 0; n < 5; n++) {
      scene.clock.advance(HELD_BACK_MS);
      await trimmer.run(NOT_STOPPING);
    }
    expect(scene.events.named("trim_held_back")).toEqual([{ files: 1, missing: 1, unreadable: 0 }]);
    scene.known.set(ids[1_100] as string, { state: "ingested", sha256: "", appendedAt: "" });
    scene.clock.advance(HELD_BACK_MS);
    await trimmer.run(NOT_STOPPING);
    expect(scene.names()).toEqual([CURRENT]);
    expect(trimmer.report).toMatchObject({ heldBack: 0 });
  });

  it("P3: an unchanged file that is held back is read once a minute at most", async () => {
    const scene = new TrimScene();
    const [missing = ""] = scene.done(OLD(3), KB);
    scene.known.delete(missing);
    const trimmer = scene.trimmer(0);
    await trimmer.run(NOT_STOPPING);
    scene.clock.advance(HELD_BACK_MS - 1);
    await trimmer.run(NOT_STOPPING);
    expect(scene.lookups).toBe(1);
    scene.clock.advance(1);
    await trimmer.run(NOT_STOPPING);
    expect(scene.lookups).toBe(2);
    scene.done(OLD(3), 2 * KB);
    await trimmer.run(NOT_STOPPING);
    expect(scene.names()).toEqual([]);
  });

  it("P3: everything, while the store is away or was deleted", async () => {
    const scene = fourOldFiles();
    scene.beforeLookup = () => {
      throw storeAway("corrupt");
    };
    expect(await scene.trimmer(0).run(NOT_STOPPING)).toBe(false);
    const opening = { openReader: () => Promise.reject(storeAway()) };
    expect(await scene.trimmer(0, nodeDurableFsSync, opening).run(NOT_STOPPING)).toBe(false);
    scene.beforeLookup = () => {};
    scene.isThere = false;
    expect(await scene.trimmer(0).run(NOT_STOPPING)).toBe(false);
    expect(scene.names()).toHaveLength(5);
    expect(scene.events.all).toEqual([]);
  });

  it("P3: a file whose store is deleted while it is looked up", async () => {
    const scene = fourOldFiles();
    scene.beforeLookup = () => {
      scene.isThere = scene.lookups < 2;
    };
    await scene.trimmer(0).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(4), OLD(5), OLD(6), CURRENT]);
  });

  it.each(["EIO", "EACCES"])(
    "P3: a file that can not be read now (%s), told once",
    async (errno) => {
      const scene = fourOldFiles();
      const faulty = faultyFsSync();
      faulty.fail({ method: "openRead", errno, pathEnds: OLD(3) });
      const trimmer = scene.trimmer(0, faulty.fs);
      await trimmer.run(NOT_STOPPING);
      await trimmer.run(NOT_STOPPING);
      expect(scene.names()).toEqual([OLD(3), CURRENT]);
      expect(scene.events.named("trim_held_back")).toEqual([
        { files: 1, missing: 0, unreadable: 1 },
      ]);
      faulty.fail(undefined);
      scene.clock.advance(HELD_BACK_MS);
      await trimmer.run(NOT_STOPPING);
      expect(scene.names()).toEqual([CURRENT]);
    },
  );

  it("P3: a file that can not be deleted, told once", async () => {
    const scene = fourOldFiles();
    const faulty = faultyFsSync();
    faulty.fail({ method: "unlink", errno: "EPERM" });
    const trimmer = scene.trimmer(0, faulty.fs);
    await trimmer.run(NOT_STOPPING);
    await trimmer.run(NOT_STOPPING);
    expect(scene.names()).toHaveLength(5);
    expect(scene.events.all).toEqual([
      { event: "trim_held_back", fields: { files: 4, missing: 0, unreadable: 4 } },
    ]);
  });

  it("P3: a file that grew, or was replaced, after it was read", async () => {
    const scene = fourOldFiles();
    const path = join(scene.layout.doneDir, OLD(3));
    scene.beforeLookup = () => {
      if (scene.lookups === 1) appendFileSync(path, "x");
    };
    await scene.trimmer(0).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(3), CURRENT]);
    const [missing = ""] = scene.done(OLD(1), KB);
    scene.beforeLookup = () => {
      if (scene.lookups === 5) renameSync(join(scene.layout.doneDir, OLD(1)), path);
    };
    scene.known.delete(missing);
    scene.lookups = 4;
    scene.known.set(missing, { state: "ingested", sha256: "", appendedAt: "" });
    await scene.trimmer(0).run(NOT_STOPPING);
    expect(scene.names()).toEqual([OLD(3), CURRENT]);
  });
});

describe("P3: several at once, and a busy thread", () => {
  it("P3: two trimmers take no more than one would", async () => {
    const scene = fourOldFiles();
    const total = scene.names().reduce((sum, name) => sum + scene.sizeOf(name), 0);
    const [one, other] = [scene.trimmer(total - 1), scene.trimmer(total - 1)];
    await Promise.all([one.run(NOT_STOPPING), other.run(NOT_STOPPING)]);
    expect(scene.names()).toEqual([OLD(4), OLD(5), OLD(6), CURRENT]);
    expect(scene.events.named("archive_trimmed")).toHaveLength(1);
  });

  it("P3: a file that another removes during the look is not made up for with the next one", async () => {
    const scene = fourOldFiles();
    const used = () => scene.names().reduce((sum, name) => sum + scene.sizeOf(name), 0);
    const total = used();
    const trimmer = scene.trimmer(total - 1, nodeDurableFsSync, {
      measure: async () => {
        const usage = usageOf({ doneBytes: used() });
        rmSync(join(scene.layout.doneDir, OLD(3)), { force: true });
        return usage;
      },
    });
    expect(await trimmer.run(NOT_STOPPING)).toBe(true);
    expect(await trimmer.run(NOT_STOPPING)).toBe(false);
    expect(scene.names()).toEqual([OLD(4), OLD(5), OLD(6), CURRENT]);
  });

  it("P3: a trimmer that was overtaken looks anew before it takes the next file", async () => {
    const scene = fourOldFiles();
    const total = scene.names().reduce((sum, name) => sum + scene.sizeOf(name), 0);
    scene.beforeLookup = () => {
      if (scene.lookups === 1) unlinkSync(join(scene.layout.doneDir, OLD(3)));
    };
    const trimmer = scene.trimmer(total - 1);
    expect(await trimmer.run(NOT_STOPPING)).toBe(true);
    expect(await trimmer.run(NOT_STOPPING)).toBe(false);
    expect(scene.names()).toEqual([OLD(4), OLD(5), OLD(6), CURRENT]);
  });

  it("P3: a run that takes long ends, to go on after what waits", async () => {
    const scene = fourOldFiles();
    scene.beforeLookup = () => scene.clock.advance(400);
    const trimmer = scene.trimmer(0);
    expect(await trimmer.run(NOT_STOPPING)).toBe(true);
    expect(scene.names()).toEqual([OLD(5), OLD(6), CURRENT]);
    expect(await trimmer.run(NOT_STOPPING)).toBe(false);
    expect(scene.names()).toEqual([CURRENT]);
  });

  it("P3: a run over many files that are held back ends, too, and the next one goes on", async () => {
    const scene = fourOldFiles();
    for (let n = 1; n <= 3; n++) scene.known.delete(ulidOf(n)); // hours 4, 3 and 6
    scene.beforeLookup = () => scene.clock.advance(400);
    const trimmer = scene.trimmer(0);
    expect(await trimmer.run(NOT_STOPPING)).toBe(true);
    expect(scene.lookups).toBe(2);
    expect(await trimmer.run(NOT_STOPPING)).toBe(false);
    expect(scene.names()).toEqual([OLD(3), OLD(4), OLD(6), CURRENT]);
  });

  it("P3: a word to stop is heard between two look-ups, and nothing goes after it", async () => {
    const scene = new TrimScene();
    scene.done(OLD(3), KB, 1_200);
    await scene.trimmer(0).run(() => scene.lookups >= 2);
    expect(scene.lookups).toBe(2);
    expect(scene.names()).toEqual([OLD(3)]);
  });

  it("P3: looks by itself as often as its cost allows, and when asked while it helps", async () => {
    const scene = new TrimScene();
    const measured = scene.trimmer(0);
    expect(measured.isDue()).toBe(true);
    let costMs = 20;
    const slow = scene.trimmer(0, nodeDurableFsSync, {
      measure: async () => {
        scene.clock.advance(costMs);
        throw Object.assign(new Error("EIO"), { code: "EIO" });
      },
    });
    expect(await slow.run(NOT_STOPPING)).toBe(false);
    scene.clock.advance(3_999);
    expect(slow.isDue()).toBe(false);
    slow.ask();
    expect(slow.isDue()).toBe(true);
    await slow.run(NOT_STOPPING);
    scene.clock.advance(4_000);
    expect(slow.isDue()).toBe(true);
    costMs = 3_000;
    await slow.run(NOT_STOPPING);
    scene.clock.advance(LOOK_INTERVAL_MS_MAX);
    expect(slow.isDue()).toBe(true);
  });

  it("P3: is not made to look again and again by being asked when nothing is trimmable", async () => {
    const scene = new TrimScene();
    scene.done(CURRENT, KB);
    const trimmer = scene.trimmer(0, nodeDurableFsSync, {
      measure: async () => {
        scene.clock.advance(20);
        const size = scene.sizeOf(CURRENT);
        return usageOf({ doneBytes: size });
      },
    });
    await trimmer.run(NOT_STOPPING);
    scene.clock.advance(3_999);
    trimmer.ask();
    expect(trimmer.isDue()).toBe(false);
    scene.clock.advance(1);
    expect(trimmer.isDue()).toBe(true);
  });

  it("P3: an archive that is not there has nothing to trim", async () => {
    const scene = new TrimScene();
    writeFileSync(pendingPath(scene.layout, ulidOf(1)), "{}");
    rmSync(scene.layout.doneDir, { recursive: true });
    expect(await scene.trimmer(0).run(NOT_STOPPING)).toBe(false);
  });
});
