/**
 * Which files the overflow audit log consists of at a moment, opened together.
 *
 * Guarantees: each file once, oldest first, whatever rotation does meanwhile: files only move
 * towards older names, so they are opened newest first, and the directory is listed again until it
 * shows nothing new. An open file keeps its lines even if its name goes. Does not see lines of files
 * made after the last look.
 */
import { basename, join } from "node:path";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import { readLogFileName } from "../platform/rotation-policy.ts";
import type { QueueLayout } from "./layout.ts";

export interface OpenAuditFile {
  /** The name at the last look. */
  readonly name: string;
  readonly fd: number;
  readonly ino: number;
  readonly bytes: number;
}

export interface AuditFiles {
  /** Oldest first. */
  readonly files: readonly OpenAuditFile[];
  /** Names of the log that are no regular file. */
  readonly strange: readonly string[];
}

/** A rotation takes milliseconds; so many in a row while we look are not credible. */
const LOOKS_MAX = 8;

/**
 * Names of the log's files, newest first: the current one, then backups by number; one on its way
 * between two names comes right before the backup whose number it is to get.
 */
export function auditFileNames(layout: QueueLayout, names: readonly string[]): string[] {
  const base = basename(layout.auditFile);
  return names
    .flatMap((name) => {
      if (name === base) return [{ name, slot: 0, isMoving: false }];
      const read = readLogFileName(base, name);
      if (!read || read.kind === "old_lock") return [];
      return [{ name, slot: read.slot, isMoving: read.kind === "moving" }];
    })
    .sort((a, b) => a.slot - b.slot || Number(b.isMoving) - Number(a.isMoving))
    .map(({ name }) => name);
}

/** Opens all files for `act` and closes them afterwards. @throws system errors */
export async function withAuditFiles<T>(
  fs: DurableFs,
  layout: QueueLayout,
  act: (files: AuditFiles) => Promise<T>,
): Promise<T> {
  const opened = new Map<number, OpenAuditFile>();
  try {
    return await act(await openAll(fs, layout, opened));
  } finally {
    for (const { fd } of opened.values()) await fs.close(fd);
  }
}

async function openAll(
  fs: DurableFs,
  layout: QueueLayout,
  opened: Map<number, OpenAuditFile>,
): Promise<AuditFiles> {
  /** Inodes by their place at the last look; those that left the directory are the oldest. */
  let order: number[] = [];
  const strange = new Set<string>();
  for (let looks = 0, isNew = true; isNew && looks < LOOKS_MAX; looks++) {
    isNew = false;
    const seen: number[] = [];
    for (const name of auditFileNames(layout, await namesOf(fs, layout.dir))) {
      const outcome = await look(fs, layout, name, opened);
      if (outcome === "strange") strange.add(name);
      else if (outcome === "gone") isNew = true;
      else {
        isNew ||= outcome.isNew;
        seen.push(outcome.ino);
      }
    }
    order = [...new Set([...seen, ...order])];
  }
  const files = order.map((ino) => opened.get(ino)).filter((file) => file !== undefined);
  return { files: files.reverse(), strange: [...strange] };
}

type Look = "gone" | "strange" | { readonly ino: number; readonly isNew: boolean };

async function look(
  fs: DurableFs,
  layout: QueueLayout,
  name: string,
  opened: Map<number, OpenAuditFile>,
): Promise<Look> {
  let fd: number;
  try {
    fd = await fs.openRead(join(layout.dir, name));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "gone";
    if (isErrno(error, "ELOOP", "ENXIO", "ENODEV")) return "strange"; // a symlink, a socket
    throw error;
  }
  try {
    const { kind, ino, bytes } = await fs.factsOfDescriptor(fd);
    if (kind !== "file") return "strange";
    const before = opened.get(ino);
    // Ours keeps the inode number taken, so an equal one is the same file.
    opened.set(ino, { name, fd: before?.fd ?? fd, ino, bytes });
    if (!before) fd = -1;
    return { ino, isNew: !before };
  } finally {
    if (fd !== -1) await fs.close(fd);
  }
}

async function namesOf(fs: DurableFs, dir: string): Promise<string[]> {
  try {
    return await fs.names(dir);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // no queue yet
    throw error;
  }
}
