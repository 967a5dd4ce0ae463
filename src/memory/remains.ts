/**
 * Where forgotten records may still lie, out of reach: backups, and stores that were put aside.
 *
 * `memspool backup` notes where and when it made one, in `backups.jsonl` of the data directory. Does
 * not guarantee to know all copies: one may have been copied on, moved, or made by other means.
 */
import { basename, dirname, join } from "node:path";
import { MemspoolError } from "../errors.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { errnoOf } from "../platform/errno.ts";
import { ulidTimeMs } from "../record/record-id.ts";
import { readBackupNotes } from "./backup/backup-notes.ts";
import type { Remains } from "./forget-shapes.ts";
import type { MemoryParts } from "./parts.ts";

export type RemainsParts = Pick<MemoryParts, "fs" | "dataDir" | "storeFile">;

const SHOWN_COUNT_MAX = 20;

/** @param ulids of the records, in order */
export async function remainsOf(
  { fs, dataDir, storeFile }: RemainsParts,
  ulids: readonly string[],
): Promise<Remains> {
  const [oldest] = ulids;
  const sinceMs = oldest === undefined ? Number.POSITIVE_INFINITY : ulidTimeMs(oldest);
  const notes = await readBackupNotes(fs, dataDir);
  const after = notes.filter(({ at }) => Date.parse(at) >= sinceMs).slice(-SHOWN_COUNT_MAX);
  const backups = [];
  for (const { at, directory } of after.reverse()) {
    backups.push({ directory, at, found: await isThere(fs, directory) });
  }
  const prefixes = [".before-", ".rebuilt-"].map((middle) => basename(storeFile) + middle);
  const old = [
    ...(await namesWith(fs, dirname(storeFile), prefixes)),
    ...(await namesWith(fs, dataDir, ["before-restore-"])),
  ];
  return { backups, old_stores: old.slice(0, SHOWN_COUNT_MAX) };
}

async function namesWith(
  fs: DurableFs,
  directory: string,
  prefixes: readonly string[],
): Promise<string[]> {
  const names = await fs.names(directory).catch((error: unknown) => {
    if (errnoOf(error) === undefined) throw error;
    return []; // no store yet, or not ours to list: then nothing can be said of it
  });
  return names
    .filter((name) => prefixes.some((prefix) => name.startsWith(prefix)))
    .sort()
    .map((name) => join(directory, name));
}

async function isThere(fs: DurableFs, path: string): Promise<boolean> {
  try {
    await fs.facts(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === undefined && !(error instanceof MemspoolError)) throw error;
    return false; // gone, or on a disk that is not here now
  }
}
