import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MANIFEST_NAME, readManifest } from "../../../src/memory/backup/manifest.ts";
import { nodeDurableFs } from "../../../src/platform/durable-fs.ts";
import { markPath, pendingPath } from "../../../src/queue/layout.ts";
import { openStore } from "../../../src/store/open-store.ts";
import { backUp, filesBelow, ODD_TEXTS, partsFor, restore } from "../../support/backup-scene.ts";
import { faultyFs } from "../../support/faulty-fs.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { IngestBench } from "../../support/ingest-bench.ts";
import { failureCode } from "../../support/memory-bench.ts";
import { storedRows } from "../../support/stored-truth.ts";

/** Some records in the store and its archive, some pending. */
async function drained(): Promise<{ bench: IngestBench; stored: string[]; pending: string[] }> {
  const bench = new IngestBench();
  const stored = await bench.append(...ODD_TEXTS);
  const ingester = bench.ingester({ openStore: () => bench.openSqlite() });
  await ingester.drain({ dueOrNot: false });
  await ingester.stop();
  const pending = await bench.append("waits 1", "waits 2");
  return { bench, stored, pending };
}

describe("backup", () => {
  it("H4: covers store, queue and archive, and nothing that only a running server needs", async () => {
    const { bench, pending } = await drained();
    writeFileSync(join(bench.layout.dir, ".tmp-rubbish"), "x");
    writeFileSync(markPath(bench.layout, pending[0] as string), "{}");
    writeFileSync(bench.layout.leaderFile, "{}");
    const parts = partsFor(bench.home);
    const to = join(freshDirectory(), "copy");
    const result = await backUp(parts, to);
    const manifest = await readManifest(nodeDurableFs, to);
    const paths = manifest.files.map(({ path }) => path.replace(/\d{8}-\d{2}[^.]*/, "H")).sort();
    expect(paths).toEqual([
      "queue/.ledger-H",
      "queue/done/H.ndjson.gz",
      "queue/ingester/high-water",
      ...pending.map((ulid) => `queue/pending-${ulid}.json`),
      "store/memspool.db",
    ]);
    expect([...filesBelow(to).keys()].sort()).toEqual(
      [MANIFEST_NAME, ...manifest.files.map(({ path }) => path)].sort(),
    );
    expect(result).toMatchObject({
      directory: to,
      files: paths.length,
      skipped: [],
      checked: true,
    });
    expect(parts.events.named("backup_written")).toEqual([
      { files: paths.length, bytes: result.bytes, ms: result.ms },
    ]);
  });

  it("S7: files are 0600, directories 0700, and none is a link to the original", async () => {
    const { bench, pending } = await drained();
    const to = join(freshDirectory(), "copy");
    await backUp(partsFor(bench.home), to);
    for (const name of [...filesBelow(to).keys()]) {
      const { mode, nlink } = statSync(join(to, name));
      expect([name, (mode & 0o777).toString(8), nlink]).toEqual([name, "600", 1]);
    }
    for (const name of ["", "queue", "queue/done", "store"]) {
      expect((statSync(join(to, name)).mode & 0o777).toString(8)).toBe("700");
    }
    expect(pending).toHaveLength(2);
  });

  it("S7: refuses a place that is taken, and takes an empty directory", async () => {
    const { bench } = await drained();
    const parts = partsFor(bench.home);
    const to = freshDirectory();
    writeFileSync(join(to, "mine"), "");
    expect(await failureCode(backUp(parts, to))).toBe("TARGET_EXISTS");
    expect(readdirSync(to)).toEqual(["mine"]);
    expect(await failureCode(backUp(parts, join(to, "mine")))).toBe("TARGET_EXISTS");
    const empty = join(to, "empty");
    mkdirSync(empty);
    await backUp(parts, empty);
    expect(existsSync(join(empty, MANIFEST_NAME))).toBe(true);
  });

  it("S7: refuses a data directory without records: an empty backup is mistaken for a good one", async () => {
    const parts = partsFor(join(freshDirectory(), "mistyped"));
    const to = join(freshDirectory(), "copy");
    expect(await failureCode(backUp(parts, to))).toBe("NOT_FOUND");
    expect(existsSync(to)).toBe(false);
  });

  it("S7: a copy that can not be written leaves nothing, and says where", async () => {
    const { bench } = await drained();
    const disk = faultyFs();
    const to = join(freshDirectory(), "copy");
    for (const [method, nth] of [
      ["write", 2],
      ["fsync", 3],
      ["openExclusive", 4],
    ] as const) {
      disk.fail({ method, nth, errno: "ENOSPC" });
      const failure = await backUp(partsFor(bench.home, { fs: disk.fs }), to).catch((e) => e);
      expect(failure).toMatchObject({ code: "DATA_DIR_UNUSABLE", details: { errno: "ENOSPC" } });
      expect(readdirSync(join(to, ".."))).toEqual([]);
    }
  });

  it("S7: a foreign file with a strange name is named, and the backup can be restored", async () => {
    const { bench } = await drained();
    const strange = join("queue", "quarantine", "notes (1).txt");
    writeFileSync(join(bench.home, strange), "mine");
    for (const check of [true, false]) {
      const to = join(freshDirectory(), "copy");
      const { skipped } = await backUp(partsFor(bench.home), to, { check });
      expect(skipped).toEqual([{ path: strange, reason: "no name that memspool gives" }]);
      await restore(partsFor(join(freshDirectory(), "home")), to);
    }
  });

  it("S7: what can not be read is named, and the rest is backed up", async () => {
    const { bench, pending } = await drained();
    const strange = pendingPath(bench.layout, "01JQ7Z8X9YABCDEFGHJKMNPQRS");
    symlinkSync("/etc/hostname", strange);
    const to = join(freshDirectory(), "copy");
    const result = await backUp(partsFor(bench.home), to);
    expect(result.skipped).toEqual([
      { path: "queue/pending-01JQ7Z8X9YABCDEFGHJKMNPQRS.json", reason: "ELOOP" },
    ]);
    const copied = filesBelow(to);
    for (const ulid of pending) expect(copied.has(`queue/pending-${ulid}.json`)).toBe(true);
  });

  it("S7: a damaged store is not passed off as a backup", async () => {
    const { bench } = await drained();
    const store = await bench.openSqlite();
    const { SqliteStore } = await import("../../../src/store/sqlite/sqlite-store.ts");
    expect(store).toBeInstanceOf(SqliteStore);
    await store.close();
    const { DatabaseSync } = await import("@photostructure/sqlite");
    const db = new DatabaseSync(bench.storeFile);
    db.exec("UPDATE totals SET records = records + 1");
    db.close();
    const to = join(freshDirectory(), "copy");
    const failure = await backUp(partsFor(bench.home), to).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "BACKUP_INVALID",
      details: { file: "store/memspool.db" },
    });
    expect(existsSync(to)).toBe(false);
    const result = await backUp(partsFor(bench.home), to, { check: false });
    expect(result.checked).toBe(false);
  });

  it("S7: interrupted, it leaves nothing", async () => {
    const { bench } = await drained();
    const to = join(freshDirectory(), "copy");
    for (const phase of ["queue", "store"] as const) {
      const stop = new AbortController();
      const attempt = backUp(partsFor(bench.home), to, {
        signal: stop.signal,
        onProgress: (progress) => {
          if (progress.phase === phase) stop.abort();
        },
      });
      await expect(attempt).rejects.toThrow();
      expect(readdirSync(join(to, ".."))).toEqual([]);
    }
  });

  it("H4: restored into an empty directory, everything is there byte for byte", async () => {
    const { bench, stored, pending } = await drained();
    const to = join(freshDirectory(), "copy");
    await backUp(partsFor(bench.home), to);
    const home = join(freshDirectory(), "home");
    const result = await restore(partsFor(home), to);
    expect(result.moved_aside).toBeUndefined();
    expect(await storedRows(home)).toEqual(
      stored.map((ulid, n) => ({ ulid, surface: ODD_TEXTS[n] })),
    );
    const [before, after] = [filesBelow(bench.layout.dir), filesBelow(join(home, "queue"))];
    for (const ulid of pending) {
      expect(after.get(`pending-${ulid}.json`)).toEqual(before.get(`pending-${ulid}.json`));
    }
    const store = await openStore({ file: join(home, "store", "memspool.db") });
    expect((await store.check()).filter(({ ok }) => !ok)).toEqual([]);
    await store.close();
  });
});
