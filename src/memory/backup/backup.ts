/**
 * `memspool backup`: one directory that holds everything, made while servers capture and drain.
 *
 * Guarantees: every record that was acknowledged before the call is in it. It gets its name only
 * when it is complete, checked and durable; killed before that, a directory
 * `<target>.partial-<hex>` is left, which nothing reads and anybody may delete. Nothing in the data
 * directory is changed but for a note that the backup was made, and no writer waits. Files are copied, never linked.
 * Does not copy config.json, logs, alerts, crash
 * reports and notes of servers. Two backups of a data directory at once are fine.
 */
import { randomBytes } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { MemspoolError } from "../../errors.ts";
import type { Events } from "../../events/catalogue.ts";
import type { Clock } from "../../platform/clock.ts";
import { type DurableFs, writeWhole } from "../../platform/durable-fs.ts";
import {
  type DurableFsSync,
  factsIfThere,
  syncDirectorySync,
} from "../../platform/durable-fs-sync.ts";
import { isErrno } from "../../platform/errno.ts";
import { makeDirectories } from "../../platform/make-directories.ts";
import type { QueueLayout } from "../../queue/layout.ts";
import { openStore } from "../../store/open-store.ts";
import { noteBackup } from "./backup-notes.ts";
import { measureFile } from "./copy-file.ts";
import {
  type BackupFile,
  checkFiles,
  encodeManifest,
  MANIFEST_NAME,
  readManifest,
  type SkippedFile,
  STORE_PATH,
} from "./manifest.ts";
import { QUEUE_DIRECTORIES, QueueCopy } from "./queue-copy.ts";
import { removeTree } from "./remove-tree.ts";
import { syncUpwards } from "./sync-upwards.ts";
import { writeFailed } from "./write-failed.ts";

export interface BackupParts {
  readonly fs: DurableFs;
  readonly fsSync: DurableFsSync;
  readonly layout: QueueLayout;
  readonly storeFile: string;
  /** The data directory. */
  readonly home: string;
  readonly clock: Clock;
  readonly events: Events;
  readonly version: string;
}

/** What is being done; `total` may grow while it is. */
export interface BackupProgress {
  readonly phase: "queue" | "store" | "check";
  readonly done: number;
  readonly total: number;
}

export interface BackupOptions {
  /** Whether the copy is read again and the store's inner order looked at; true unless given. */
  readonly check?: boolean;
  readonly onProgress?: (progress: BackupProgress) => void;
  readonly signal?: AbortSignal;
}

export interface BackupResult {
  /** Absolute path. */
  readonly directory: string;
  readonly files: number;
  readonly bytes: number;
  /** What was there and could not be read. Empty for a whole backup. */
  readonly skipped: readonly SkippedFile[];
  readonly checked: boolean;
  readonly ms: number;
}

/**
 * @param target where nothing lies yet, or an empty directory
 * @throws MemspoolError TARGET_EXISTS, NOT_FOUND if there is no data directory, DATA_DIR_UNUSABLE,
 *   STORE_UNAVAILABLE, STORE_TOO_NEW, BACKUP_INVALID if the copy is not sound; system errors
 */
export async function backUp(
  parts: BackupParts,
  target: string,
  options: BackupOptions = {},
): Promise<BackupResult> {
  const startedMs = parts.clock.monotonicMs();
  const directory = resolve(target);
  refuseTaken(parts.fsSync, directory);
  refuseNothing(parts);
  const temp = `${directory}.partial-${randomBytes(6).toString("hex")}`;
  let made: Pick<BackupResult, "files" | "bytes" | "skipped">;
  try {
    makeDirectories(parts.fsSync, dirname(directory));
    made = await fill(parts, temp, options);
    options.signal?.throwIfAborted();
    giveName(parts.fsSync, temp, directory);
    const at = new Date(parts.clock.nowMs()).toISOString();
    await noteBackup(parts.fs, parts.fsSync, parts.home, { at, directory });
  } catch (error) {
    removeTree(parts.fsSync, temp);
    throw writeFailed(error, directory);
  }
  const ms = Math.round(parts.clock.monotonicMs() - startedMs);
  parts.events.emit("backup_written", { files: made.files, bytes: made.bytes, ms });
  return { directory, ...made, checked: options.check !== false, ms };
}

async function fill(
  parts: BackupParts,
  temp: string,
  options: BackupOptions,
): Promise<Pick<BackupResult, "files" | "bytes" | "skipped">> {
  const { fs, fsSync, layout, clock, version } = parts;
  const report = (phase: BackupProgress["phase"]) => (done: number, total: number) =>
    options.onProgress?.({ phase, done, total });
  const directories = [temp, ...[...QUEUE_DIRECTORIES, "store"].map((name) => join(temp, name))];
  for (const path of directories) fsSync.makeDirectory(path);
  const onProgress = report("queue");
  const queue = new QueueCopy({ fs, layout, directory: temp, onProgress, signal: options.signal });
  await queue.copyRecords();
  const store = await copyStore(parts, temp, report("store"), options.signal);
  await queue.copyHighWater();
  const { skipped } = queue;
  const files = [...queue.files, ...(store === undefined ? [] : [store])];
  // Crash from here on: everything is there but the manifest, without which it is no backup.
  for (const path of directories.toReversed()) syncDirectorySync(fsSync, path);
  const created_at = new Date(clock.nowMs()).toISOString();
  const manifest = encodeManifest({ memspool_version: version, created_at, files, skipped });
  await writeWhole(fs, join(temp, MANIFEST_NAME), manifest);
  syncDirectorySync(fsSync, temp);
  if (options.check !== false) {
    await checkFiles(fs, temp, await readManifest(fs, temp), report("check"));
  }
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { files: files.length, bytes, skipped };
}

async function copyStore(
  parts: BackupParts,
  temp: string,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal | undefined,
): Promise<BackupFile | undefined> {
  const { fs, fsSync, storeFile: file, events, clock } = parts;
  if (factsIfThere(fsSync, file) === undefined) return undefined; // nothing was ingested yet
  const copy = join(temp, STORE_PATH);
  const store = await openStore({ file, readOnly: true, events, clock });
  try {
    await store.copyTo(copy, { onProgress, ...(signal === undefined ? {} : { signal }) });
  } finally {
    await store.close();
  }
  const fd = fsSync.openAppend(copy);
  try {
    await fs.fsync(fd);
  } finally {
    await fs.close(fd);
  }
  return { path: STORE_PATH, ...(await measureFile(fs, copy)) };
}

/** @throws MemspoolError TARGET_EXISTS */
function giveName(fs: DurableFsSync, temp: string, directory: string): void {
  try {
    fs.rename(temp, directory);
  } catch (error) {
    if (isErrno(error, "ENOTEMPTY", "EEXIST", "ENOTDIR")) throw targetExists(directory);
    throw error;
  }
  syncUpwards(fs, dirname(directory));
}

function refuseTaken(fs: DurableFsSync, directory: string): void {
  const kind = factsIfThere(fs, directory)?.kind;
  if (kind === undefined) return;
  if (kind !== "directory" || fs.names(directory).length > 0) throw targetExists(directory);
}

/** An empty backup of a mistyped directory would be taken for a good one. */
function refuseNothing({ fsSync, layout, storeFile, home }: BackupParts): void {
  const isThere = (path: string) => factsIfThere(fsSync, path) !== undefined;
  if (isThere(layout.dir) || isThere(storeFile)) return;
  throw new MemspoolError(
    "NOT_FOUND",
    `${home} holds no records, so there is nothing to back up. Name the data directory with --home ` +
      "or MEMSPOOL_HOME.",
    { details: { path: home } },
  );
}

function targetExists(directory: string): MemspoolError {
  return new MemspoolError(
    "TARGET_EXISTS",
    `${basename(directory)} is there already. Nothing was changed; name a directory that is not.`,
    { details: { path: directory } },
  );
}
