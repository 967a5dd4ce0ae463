/**
 * `memspool restore`: a backup becomes the data directory's queue and store.
 *
 * Guarantees: nothing is changed before every file of the backup was proved against the manifest;
 * each copy is proved again. A data directory that holds records is refused, or with `force` its
 * queue and store are moved to `before-restore-<time>`, which nothing deletes. Killed anywhere, the
 * data directory is as before, as after, or refuses to be opened until a restore has been run again
 * (restored-parts.ts). New ids sort behind all restored ones, because high-water comes along.
 * Needs that no server runs on the data directory: it holds the ingester's lease, but a server that
 * only captures can not be seen.
 */
import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { MemspoolError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { DurableFs } from "../../platform/durable-fs.ts";
import {
  type DurableFsSync,
  factsIfThere,
  syncDirectorySync,
} from "../../platform/durable-fs-sync.ts";
import { isErrno } from "../../platform/errno.ts";
import { makeDirectories } from "../../platform/make-directories.ts";
import { isLeftover, ledgerHour, pendingUlid, type QueueLayout } from "../../queue/layout.ts";
import { inLanes } from "../in-lanes.ts";
import { copyFile } from "./copy-file.ts";
import {
  type BackupManifest,
  checkFiles,
  invalid,
  readManifest,
  refuseDifference,
} from "./manifest.ts";
import { QUEUE_DIRECTORIES } from "./queue-copy.ts";
import { removeTree } from "./remove-tree.ts";
import { finishSwap, readSwapNote, sweepStaging, writeSwapNote } from "./restored-parts.ts";
import { syncUpwards } from "./sync-upwards.ts";
import { writeFailed } from "./write-failed.ts";

export interface RestoreParts {
  readonly fs: DurableFs;
  readonly fsSync: DurableFsSync;
  /** The data directory. */
  readonly home: string;
  readonly layout: QueueLayout;
  readonly storeFile: string;
  readonly clock: Clock;
  /** Runs the work while nobody ingests. Throws LEASE_HELD. */
  readonly holdLease: HoldLease;
  /** Runs the work while nobody else restores into the data directory. Throws LEASE_HELD. */
  readonly holdHome: HoldLease;
}

export type HoldLease = <T>(act: (lease: { requireHeld(): void }) => Promise<T>) => Promise<T>;

export interface RestoreProgress {
  readonly phase: "check" | "copy";
  readonly done: number;
  readonly total: number;
}

export interface RestoreOptions {
  /** Moves records that are there out of the way instead of refusing. */
  readonly force?: boolean;
  readonly onProgress?: (progress: RestoreProgress) => void;
  readonly signal?: AbortSignal;
}

export interface RestoreResult {
  readonly files: number;
  readonly bytes: number;
  /** ISO 8601: when the backup was written. */
  readonly created_at: string;
  /** Absolute path of what lay there before. */
  readonly moved_aside?: string;
  readonly ms: number;
}

const COPIES_AT_ONCE = 8;

/**
 * @throws MemspoolError BACKUP_INVALID, TARGET_EXISTS, LEASE_HELD, DATA_DIR_UNUSABLE
 */
export async function restore(
  parts: RestoreParts,
  backup: string,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  const startedMs = parts.clock.monotonicMs();
  const { fs, fsSync, home } = parts;
  const from = resolve(backup);
  const manifest = await readManifest(fs, from);
  await checkFiles(fs, from, manifest, (done, total) =>
    options.onProgress?.({ phase: "check", done, total }),
  );
  let movedAside: string | undefined;
  try {
    makeDirectories(fsSync, home);
    movedAside = await parts.holdHome(async ({ requireHeld }) => {
      const unfinished = await readSwapNote(fs, home);
      const finished = unfinished && finishSwap(fsSync, home, unfinished);
      // The very restore that was cut short is over with that.
      if (unfinished?.checksum === manifest.checksum) return finished;
      return await replaceBy(parts, from, manifest, options, requireHeld);
    });
  } catch (error) {
    throw writeFailed(error, home);
  }
  return {
    files: manifest.files.length,
    bytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0),
    created_at: manifest.created_at,
    ...(movedAside === undefined ? {} : { moved_aside: join(home, movedAside) }),
    ms: Math.round(parts.clock.monotonicMs() - startedMs),
  };
}

async function replaceBy(
  parts: RestoreParts,
  from: string,
  manifest: BackupManifest,
  options: RestoreOptions,
  requireHome: () => void,
): Promise<string | undefined> {
  const { fsSync, home, layout } = parts;
  if (options.force !== true) refuseRecords(parts);
  refuseOtherDisks(fsSync, home);
  sweepStaging(fsSync, home);
  const act = (requireHeld: () => void) =>
    stageAndSwap(parts, from, manifest, options, requireHeld);
  if (factsIfThere(fsSync, layout.dir) === undefined) return act(requireHome); // nobody ever ingested
  return parts.holdLease((lease) =>
    act(() => {
      requireHome();
      lease.requireHeld();
    }),
  );
}

async function stageAndSwap(
  parts: RestoreParts,
  from: string,
  manifest: BackupManifest,
  options: RestoreOptions,
  requireHeld: () => void,
): Promise<string | undefined> {
  const { fs, fsSync, home, clock } = parts;
  const staging = `.restore-${randomBytes(6).toString("hex")}`;
  const note = { staging, aside: `before-restore-${timeName(clock)}`, checksum: manifest.checksum };
  try {
    await stage(parts, from, join(home, staging), manifest, options);
    requireHeld();
    requireStaged(parts, join(home, staging), manifest);
    // Again, because somebody may have captured meanwhile.
    if (options.force !== true) refuseRecords(parts);
    options.signal?.throwIfAborted();
    await writeSwapNote(fs, fsSync, home, note);
  } catch (error) {
    removeTree(fsSync, join(home, staging));
    throw error;
  }
  return finishSwap(fsSync, home, note);
}

/** Copies everything into the staging directory and makes it durable. */
async function stage(
  parts: RestoreParts,
  from: string,
  staging: string,
  { files }: BackupManifest,
  { onProgress, signal }: RestoreOptions,
): Promise<void> {
  const { fs, fsSync, home } = parts;
  const directories = [staging, ...[...QUEUE_DIRECTORIES, "store"].map((at) => join(staging, at))];
  for (const path of directories) fsSync.makeDirectory(path);
  let done = 0;
  await inLanes(files, COPIES_AT_ONCE, async (file) => {
    signal?.throwIfAborted();
    const outcome = await copyFile(fs, join(from, file.path), join(staging, file.path));
    if (!("copied" in outcome)) throw invalid(file.path, "not readable any more");
    refuseDifference(file, outcome.copied);
    onProgress?.({ phase: "copy", done: ++done, total: files.length });
  });
  for (const path of directories.toReversed()) syncDirectorySync(fsSync, path);
  syncUpwards(fsSync, home);
}

/** Somebody who takes the staging directory for a leftover must not make half a backup a whole one. */
function requireStaged({ fsSync }: RestoreParts, staging: string, { files }: BackupManifest): void {
  for (const { path, bytes } of files) {
    if (factsIfThere(fsSync, join(staging, path))?.bytes === bytes) continue;
    throw new MemspoolError(
      "DATA_DIR_UNUSABLE",
      `${join(staging, path)} vanished while the backup was copied. Nothing was changed; see who ` +
        "removes files there, and run it again.",
      { details: { path: join(staging, path) } },
    );
  }
}

/** @throws MemspoolError TARGET_EXISTS if the data directory holds records */
function refuseRecords({ fsSync, layout, storeFile, home }: RestoreParts): void {
  const names = (directory: string) => namesIfThere(fsSync, directory);
  const isRecord = (name: string) =>
    pendingUlid(name) !== undefined || ledgerHour(name) !== undefined;
  const kept = [layout.quarantineDir, layout.doneDir, layout.overflowDir].flatMap(names);
  const holdsRecords =
    factsIfThere(fsSync, storeFile) !== undefined ||
    factsIfThere(fsSync, layout.highWaterFile) !== undefined ||
    names(layout.dir).some(isRecord) ||
    kept.some((name) => !isLeftover(name));
  if (!holdsRecords) return;
  throw new MemspoolError(
    "TARGET_EXISTS",
    `${home} holds records. Nothing was changed; name another data directory with --home, or move ` +
      "the present records aside with --force.",
    { details: { path: home } },
  );
}

/** A queue or store on a disk of its own can not be exchanged by renaming. */
function refuseOtherDisks(fs: DurableFsSync, home: string): void {
  const { dev } = fs.identityOfPath(home);
  for (const part of ["queue", "store"]) {
    const path = join(home, part);
    const facts = factsIfThere(fs, path);
    if (facts === undefined || facts.dev === dev) continue;
    throw new MemspoolError(
      "DATA_DIR_UNUSABLE",
      `${path} is on a disk of its own, so a restore can not take its place. Restore into another ` +
        "data directory, and copy queue and store from there while no server runs.",
      { details: { path } },
    );
  }
}

function namesIfThere(fs: DurableFsSync, directory: string): string[] {
  try {
    return fs.names(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** `20260301T093000Z` */
function timeName(clock: Clock): string {
  return new Date(clock.nowMs()).toISOString().replace(/[-:]|\.\d+/g, "");
}
