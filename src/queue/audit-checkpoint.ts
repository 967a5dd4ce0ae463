/**
 * The checkpoint of the overflow audit log: what the files said that rotation deleted.
 *
 * Every change is a new file, `.overflow-audit.checkpoint-<generation>.json`, linked under the next
 * number and never written again; `.overflow-audit.checkpoint.json` is a copy of the newest.
 * Rotation calls under a lock, but a process that was stopped for long comes back beside its
 * successor. Rewriting one file, the one who read first could overwrite what the other had added. A
 * link says EEXIST instead, and whoever is told so begins anew with what the other wrote. A number
 * that is free only because it is old is noticed by a look afterwards.
 *
 * Guarantees: when {@link recordCheckpoint} returns, the file's totals are on disk, survive a power
 * cut, and were not and will not be overwritten; doing it again for the same file changes nothing.
 * A damaged file is passed over for its copies; if none of the newest generation is whole, what
 * follows says that its totals are incomplete. Where a file system has no links, the lock is what
 * keeps others away.
 */
import { basename, join } from "node:path";
import type { DurableFs } from "../platform/durable-fs.ts";
import {
  type DurableFsSync,
  factsIfThere,
  readBytes,
  syncDirectorySync,
  unlinkIfThere,
  writeAllSync,
} from "../platform/durable-fs-sync.ts";
import { isErrno, NO_LINK_ERRNOS } from "../platform/errno.ts";
import {
  type AuditCheckpoint,
  type CheckpointEntry,
  checkpointGeneration,
  checkpointPath,
  decodeCheckpoint,
  emptyCheckpoint,
  encodeCheckpoint,
  withEntry,
} from "./audit-checkpoint-form.ts";
import { AuditCount, LineSplitter, PrefixHashes } from "./audit-count.ts";
import { type QueueLayout, tempPath } from "./layout.ts";

export interface CheckpointReading {
  /** undefined if there is none, or none that is whole. */
  readonly checkpoint: AuditCheckpoint | undefined;
  /** True if a newer one is damaged: the totals are a lower bound. */
  readonly incomplete: boolean;
  /** Names of checkpoint files that are not whole. */
  readonly damaged: readonly string[];
}

/** So many entries need a third of it. */
const CHECKPOINT_BYTES_MAX = 131_072;
const CHUNK_BYTES = 262_144;
/** Each further try means that another process has added something. */
const TRIES_MAX = 20;
const NOTHING = Buffer.alloc(0);
/** Temp files are named for an id; this one belongs to no record. */
const NO_ULID = "0".repeat(26);

/**
 * Adds an audit file that is about to be deleted.
 * @param path of the file
 * @throws system errors, EBUSY if other processes add one after the other: the file must stay
 */
export function recordCheckpoint(fs: DurableFsSync, layout: QueueLayout, path: string): void {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const { newest, ...reading } = readSync(fs, layout);
    const found = reading.checkpoint ?? emptyCheckpoint();
    const incomplete = found.incomplete || reading.incomplete;
    const { entry, hashes } = entryOf(fs, path, found.entries);
    if (entry.bytes === 0) return;
    const next = withEntry({ ...found, generation: newest, incomplete }, entry, hashes);
    if (next) {
      if (!publish(fs, layout, next)) continue;
      if (readSync(fs, layout).newest > next.generation) continue; // the number was an old one
    }
    // Also when it was there already: whoever wrote it may have died before this. Crash here: a
    // power cut may take both names, and the audit file is still there.
    fs.replace(layout.auditCheckpointFile, encodeCheckpoint(next ?? found), "fsync");
    syncDirectorySync(fs, layout.dir);
    removeOlder(fs, layout, newest);
    return;
  }
  throw Object.assign(new Error("EBUSY: the audit checkpoint keeps changing"), { code: "EBUSY" });
}

/** Reads it and proves it whole. @throws system errors */
export async function readCheckpoint(
  fs: DurableFs,
  layout: QueueLayout,
): Promise<CheckpointReading> {
  for (let tries = 1; ; tries++) {
    const found: Found[] = [];
    for (const file of checkpointFiles(layout, await namesOf(fs, layout))) {
      found.push({ ...file, bytes: await readSmall(fs, file.path) });
    }
    const { isGone, newest: _, ...reading } = judge(found);
    if (!isGone || reading.checkpoint || tries >= TRIES_MAX) return reading;
  }
}

interface CheckpointFile {
  readonly name: string;
  readonly path: string;
  /** By the name; the copy has none. */
  readonly generation: number | undefined;
}

interface Found extends CheckpointFile {
  /** undefined if it was replaced since the look at the directory. */
  readonly bytes: Buffer | undefined;
}

function checkpointFiles(layout: QueueLayout, names: readonly string[]): CheckpointFile[] {
  const copy = basename(layout.auditCheckpointFile);
  return names
    .map((name) => ({
      name,
      path: join(layout.dir, name),
      generation: checkpointGeneration(name),
    }))
    .filter(({ name, generation }) => generation !== undefined || name === copy);
}

/** The newest whole one of all. */
function judge(files: readonly Found[]): CheckpointReading & {
  readonly newest: number;
  readonly isGone: boolean;
} {
  let checkpoint: AuditCheckpoint | undefined;
  let newest = 0;
  let isGone = false;
  const damaged: string[] = [];
  for (const { name, generation, bytes } of files) {
    newest = Math.max(newest, generation ?? 0);
    isGone ||= bytes === undefined;
    if (bytes === undefined) continue;
    const whole = decodeCheckpoint(bytes);
    if (!whole) damaged.push(name);
    else if (!checkpoint || whole.generation > checkpoint.generation) checkpoint = whole;
  }
  newest = Math.max(newest, checkpoint?.generation ?? 0);
  const incomplete = checkpoint ? checkpoint.generation < newest : damaged.length > 0;
  return { checkpoint, incomplete, damaged, newest, isGone };
}

function readSync(fs: DurableFsSync, layout: QueueLayout) {
  const files = checkpointFiles(layout, fs.names(layout.dir));
  return judge(files.map((file) => ({ ...file, bytes: readSmallSync(fs, file.path) })));
}

/** Streams the file once, for its lines and its hashes. */
function entryOf(
  fs: DurableFsSync,
  path: string,
  before: readonly CheckpointEntry[],
): { entry: CheckpointEntry; hashes: PrefixHashes } {
  const count = new AuditCount();
  const lines = new LineSplitter((text) => count.add(text));
  const hashes = new PrefixHashes(before.map(({ bytes }) => bytes));
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const fd = fs.openRead(path);
  try {
    for (let read = fs.read(fd, chunk); read > 0; read = fs.read(fd, chunk)) {
      hashes.push(chunk.subarray(0, read));
      lines.push(chunk.subarray(0, read));
    }
  } finally {
    fs.close(fd);
  }
  lines.end();
  const { spilled, dropped, damaged, firstTs, lastTs } = count;
  const counts = { spilled, dropped, damaged, first_ts: firstTs, last_ts: lastTs };
  return { entry: { sha256: hashes.digest(), bytes: hashes.bytes, ...counts }, hashes };
}

/** False if another process was faster. */
function publish(fs: DurableFsSync, layout: QueueLayout, checkpoint: AuditCheckpoint): boolean {
  const temp = tempPath(layout, NO_ULID);
  const path = checkpointPath(layout, checkpoint.generation);
  const fd = fs.openExclusive(temp);
  try {
    try {
      writeAllSync(fs, fd, Buffer.from(encodeCheckpoint(checkpoint)));
      fs.fsync(fd);
    } finally {
      fs.close(fd);
    }
    return linked(fs, temp, path);
  } finally {
    removeQuietly(fs, temp);
  }
}

function linked(fs: DurableFsSync, temp: string, path: string): boolean {
  try {
    fs.link(temp, path);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    if (!isErrno(error, ...NO_LINK_ERRNOS)) throw error;
    if (factsIfThere(fs, path)) return false;
    fs.rename(temp, path);
    return true;
  }
}

/** The copy and the generation before stay as spares. */
function removeOlder(fs: DurableFsSync, layout: QueueLayout, before: number): void {
  for (const { path, generation } of checkpointFiles(layout, fs.names(layout.dir))) {
    if (generation !== undefined && generation < before) removeQuietly(fs, path);
  }
}

/** What can not be removed harms nobody: temp files are swept, old generations passed over. */
function removeQuietly(fs: DurableFsSync, path: string): void {
  try {
    unlinkIfThere(fs, path);
  } catch (error) {
    if (!isErrno(error, "EACCES", "EPERM", "EBUSY", "EROFS", "EIO", "EISDIR")) throw error;
  }
}

/** undefined if it is gone; empty for what is no regular file or too large to be one of ours. */
function readSmallSync(fs: DurableFsSync, path: string): Buffer | undefined {
  let fd: number;
  try {
    fd = fs.openRead(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    if (isErrno(error, "ELOOP", "ENXIO")) return NOTHING;
    throw error;
  }
  try {
    const { kind, bytes } = fs.factsOfDescriptor(fd);
    if (kind !== "file" || bytes > CHECKPOINT_BYTES_MAX) return NOTHING;
    return readBytes(fs, fd, bytes, 0); // cut meanwhile: its checksum says so
  } finally {
    fs.close(fd);
  }
}

async function readSmall(fs: DurableFs, path: string): Promise<Buffer | undefined> {
  try {
    const { kind, bytes } = await fs.facts(path);
    if (kind !== "file" || bytes > CHECKPOINT_BYTES_MAX) return NOTHING;
    return await fs.read(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function namesOf(fs: DurableFs, layout: QueueLayout): Promise<string[]> {
  try {
    return await fs.names(layout.dir);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // no queue yet
    throw error;
  }
}
