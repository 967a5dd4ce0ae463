import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { refuseHalfRestored } from "../../../src/app/half-restored.ts";
import { RESTORE_LOCK_NAME, restoreLock } from "../../../src/app/restore-lock.ts";
import { MemspoolError } from "../../../src/errors.ts";
import { withLease } from "../../../src/ingest/with-lease.ts";
import { encodeManifest, MANIFEST_NAME } from "../../../src/memory/backup/manifest.ts";
import { nodeDurableFs } from "../../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../../src/platform/durable-fs-sync.ts";
import { CaptureQueue } from "../../../src/queue/capture-queue.ts";
import { backUp, filesBelow, partsFor, restore } from "../../support/backup-scene.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { IngestBench } from "../../support/ingest-bench.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { failureCode } from "../../support/memory-bench.ts";

let bench: IngestBench;
/** A backup with three records in the store and two pending. */
let backup: string;
let home: string;

beforeEach(async () => {
  bench = new IngestBench();
  await bench.append("one", "two", "three");
  const ingester = bench.ingester({ openStore: () => bench.openSqlite() });
  await ingester.drain({ dueOrNot: false });
  await ingester.stop();
  await bench.append("four", "five");
  backup = join(freshDirectory(), "backup");
  await backUp(partsFor(bench.home), backup);
  home = join(freshDirectory(), "home");
});

/** What a restore makes: the backup's files without its manifest. */
function wanted(): Map<string, Buffer> {
  const files = filesBelow(backup);
  files.delete(MANIFEST_NAME);
  return files;
}

describe("a backup that is not as it was written", () => {
  const spoil: [string, (file: string) => void][] = [
    ["cut", (file) => writeFileSync(file, readFileSync(file).subarray(0, -1))],
    ["longer", (file) => appendFileSync(file, "x")],
    ["missing", unlinkSync],
    [
      "flipped in one bit",
      (file) => {
        const bytes = readFileSync(file);
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
        writeFileSync(file, bytes);
      },
    ],
  ];
  it.each(spoil)(
    "H4: is refused when any file of it is %s, and nothing is changed",
    async (_, harm) => {
      for (const [name, before] of filesBelow(backup)) {
        harm(join(backup, name));
        const failure = await restore(partsFor(home), backup).catch((error: unknown) => error);
        expect(failure).toMatchObject({ code: "BACKUP_INVALID", details: { file: name } });
        expect(existsSync(home)).toBe(false);
        writeFileSync(join(backup, name), before);
      }
      await restore(partsFor(home), backup);
    },
  );

  it("X1: is refused when a path leads out of it", async () => {
    const manifest = (path: string) =>
      encodeManifest({
        memspool_version: "0",
        created_at: "2026-03-01T00:00:00.000Z",
        files: [{ path, bytes: 0, sha256: "0".repeat(64) }],
        skipped: [],
      });
    for (const path of ["../outside", "queue/../../outside", "queue/..", "/etc/passwd", "config"]) {
      writeFileSync(join(backup, MANIFEST_NAME), manifest(path));
      const failure = await restore(partsFor(home), backup).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "BACKUP_INVALID", details: { file: MANIFEST_NAME } });
    }
  });

  it("H4: is refused when a newer memspool wrote it, or it is no backup at all", async () => {
    const path = join(backup, MANIFEST_NAME);
    writeFileSync(path, readFileSync(path, "utf8").replace('backup":1', 'backup":2'));
    const newer = await restore(partsFor(home), backup).catch((error: unknown) => error);
    expect(String(newer)).toContain("newer memspool");
    expect(await failureCode(restore(partsFor(home), freshDirectory()))).toBe("BACKUP_INVALID");
    expect(await failureCode(restore(partsFor(home), join(home, "no")))).toBe("BACKUP_INVALID");
  });
});

describe("restore", () => {
  it("H4: makes of the backup a data directory with the very same files", async () => {
    const result = await restore(partsFor(home), backup);
    expect(filesBelow(home)).toEqual(wanted());
    expect(result).toMatchObject({ files: wanted().size });
    expect(result.moved_aside).toBeUndefined();
  });

  it("H4: new ids sort behind all restored ones, though the clock stands earlier", async () => {
    await restore(partsFor(home), backup);
    for (const name of readdirSync(join(home, "queue"))) {
      if (name.startsWith("pending-")) rmSync(join(home, "queue", name));
    }
    const newest = readFileSync(join(home, "queue", "ingester", "high-water"), "utf8");
    const clock = new ManualClock(Date.now() - 3_600_000);
    const queue = new CaptureQueue({ queueDir: join(home, "queue"), clock });
    const { ulid } = await queue.append({ surface: "later" });
    await queue.close();
    expect(ulid > newest).toBe(true);
  });

  it("S7: refuses a data directory with records, and moves them aside when told to", async () => {
    const other = new IngestBench();
    await other.append("keep me");
    const before = filesBelow(other.home);
    expect(await failureCode(restore(partsFor(other.home), backup))).toBe("TARGET_EXISTS");
    expect(filesBelow(other.home)).toEqual(before);
    const clock = new ManualClock(Date.UTC(2026, 2, 1, 9, 30));
    const result = await restore(partsFor(other.home, { clock }), backup, { force: true });
    const aside = join(other.home, "before-restore-20260301T093000Z");
    expect(result.moved_aside).toBe(aside);
    expect(filesBelow(aside)).toEqual(before);
    rmSync(aside, { recursive: true });
    expect(filesBelow(other.home)).toEqual(wanted());
    await restore(partsFor(other.home, { clock }), backup, { force: true });
    expect(filesBelow(aside)).toEqual(wanted());
  });

  it("S7: waits for nobody who ingests: LEASE_HELD, and nothing is changed", async () => {
    const other = new IngestBench();
    await other.append("busy");
    const { layout, clock } = other;
    const lease = { layout, clock, fs: nodeDurableFsSync };
    await withLease(lease, {}, async () => {
      const before = filesBelow(layout.dir);
      const parts = partsFor(other.home, {
        holdLease: (act) => withLease(lease, { waitMs: 0 }, act),
      });
      expect(await failureCode(restore(parts, backup, { force: true }))).toBe("LEASE_HELD");
      expect(filesBelow(layout.dir)).toEqual(before);
    });
  });

  it("S7: a backup that is spoilt while it is copied is not put into place", async () => {
    const [name] = [...wanted().keys()].filter((path) => path.includes("pending-"));
    const failure = await restore(partsFor(home), backup, {
      onProgress: ({ phase, done, total }) => {
        if (phase === "check" && done === total) appendFileSync(join(backup, name as string), "x");
      },
    }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "BACKUP_INVALID", details: { file: name } });
    expect(readdirSync(home)).toEqual([]);
  });

  it("S7: a second one at the same time is refused, and the first one is whole", async () => {
    let second: Promise<string | undefined> | undefined;
    await restore(partsFor(home), backup, {
      onProgress: ({ phase, done }) => {
        if (phase !== "copy" || done < 4) return;
        second ??= failureCode(restore(partsFor(home), backup));
      },
    });
    expect(await second).toBe("TARGET_EXISTS");
    expect(asText(filesBelow(home))).toBe(asText(wanted()));
  });

  it("S7: while another one runs, it changes nothing and says so", async () => {
    mkdirSync(join(home, RESTORE_LOCK_NAME), { recursive: true });
    const parts = partsFor(home, { holdHome: restoreLock(home, { waitMs: 0 }) });
    expect(await failureCode(restore(parts, backup, { force: true }))).toBe("LEASE_HELD");
    expect(readdirSync(home)).toEqual([RESTORE_LOCK_NAME]);
  });

  it("S7: what vanishes from the copy before it is in its place stops it", async () => {
    const [name] = [...wanted().keys()].filter((path) => path.includes("pending-"));
    const attempt = restore(partsFor(home), backup, {
      onProgress: ({ phase, done, total }) => {
        if (phase !== "copy" || done < total) return;
        const staging = readdirSync(home).find((entry) => entry.startsWith(".restore-"));
        unlinkSync(join(home, staging as string, name as string));
      },
    });
    expect(await failureCode(attempt)).toBe("DATA_DIR_UNUSABLE");
    expect(readdirSync(home)).toEqual([]);
  });

  it("S7: interrupted while it copies, it leaves nothing", async () => {
    const stop = new AbortController();
    const attempt = restore(partsFor(home), backup, {
      signal: stop.signal,
      onProgress: ({ phase }) => void (phase === "copy" && stop.abort()),
    });
    await expect(attempt).rejects.toMatchObject({ name: "AbortError" });
    expect(readdirSync(home)).toEqual([]);
  });
});

/** Stands still for good at the nth call that changes something, as a killed process does. */
class Killed extends Error {}

function dyingAt(nth: number) {
  const changes = /^(open(Exclusive|Append)|write|link|rename|unlink|make|remove|replace)/;
  let calls = 0;
  const wrap = <F extends object>(fs: F): F =>
    new Proxy(fs, {
      get: (target, method: string) => {
        const call = target[method as keyof F] as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (changes.test(method) && calls < nth) calls++;
          if (calls >= nth) throw new Killed(method);
          return call(...args);
        };
      },
    });
  return { fs: wrap(nodeDurableFs), fsSync: wrap(nodeDurableFsSync), reached: () => calls >= nth };
}

/** Before, after, or closed until a restore has been run again. */
function refused(directory: string): boolean {
  try {
    refuseHalfRestored(directory);
    return false;
  } catch (error) {
    if (error instanceof MemspoolError && error.code === "DATA_DIR_UNUSABLE") return true;
    throw error;
  }
}

describe("a restore that is killed", () => {
  it.each([false, true])(
    "S7: at any step (records there: %s) leaves old, new or a closed directory; repeated, it works",
    async (occupied) => {
      let closed = 0;
      let nth = 1;
      // Of the copying, every fifth step; of what follows, each.
      for (; ; nth += nth < 16 ? 5 : 1) {
        const place = join(freshDirectory(), "home");
        const before = new Map<string, Buffer>();
        if (occupied) {
          mkdirSync(join(place, "queue", "ingester"), { recursive: true });
          mkdirSync(join(place, "store"));
          writeFileSync(join(place, "queue", "pending-01JQ7Z8X9YABCDEFGHJKMNPQRS.json"), "old");
          writeFileSync(join(place, "store", "memspool.db"), "old");
          for (const [path, bytes] of filesBelow(place)) before.set(path, bytes);
        }
        const dying = dyingAt(nth);
        const options = { force: occupied };
        await restore(partsFor(place, dying), backup, options).catch((error: unknown) => {
          if (!dying.reached()) throw error;
        });
        const seen = existsSync(place) ? live(place) : new Map();
        if (refused(place)) closed++;
        else expect([asText(before), asText(wanted())]).toContainEqual(asText(seen));
        if (!dying.reached()) break;
        // A restore that was over but for tidying up may be refused: it has been done.
        const isDone = !refused(place) && asText(seen) === asText(wanted());
        await restore(partsFor(place), backup, { force: occupied && !isDone }).catch((error) => {
          if (!isDone) throw error;
          expect(error).toMatchObject({ code: "TARGET_EXISTS" });
        });
        expect(refused(place)).toBe(false);
        expect(asText(live(place))).toBe(asText(wanted()));
        if (!occupied) continue;
        const kept = [...filesBelow(place)].filter(([path]) => path.startsWith("before-restore-"));
        expect(
          kept.map(([, bytes]) => bytes.toString()).filter((text) => text === "old").length,
        ).toBe(2);
      }
      expect(nth).toBeGreaterThan(20);
      expect(closed).toBeGreaterThan(2);
    },
  );
});

/** What whoever opens the data directory gets to see. */
function live(directory: string): Map<string, Buffer> {
  return new Map([...filesBelow(directory)].filter(([path]) => /^(queue|store)\//.test(path)));
}

function asText(files: ReadonlyMap<string, Buffer>): string {
  return JSON.stringify([...files].map(([path, bytes]) => [path, bytes.toString("base64")]).sort());
}
