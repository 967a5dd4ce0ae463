/**
 * Makes sure that the queue's directories are there, ours, and durable.
 *
 * Guarantees: after it returns, every directory of the layout is a real directory (a symlink is
 * refused, so nothing is written outside the data directory) and its name survives a power cut:
 * the queue directory and everything above it is synced, also when it was there already, because
 * whoever made it may have died or may not have come to the fsync yet.
 * Repeating it is harmless.
 */
import { dirname } from "node:path";
import { MemspoolError } from "../errors.ts";
import { type DurableFsSync, syncDirectorySync } from "../platform/durable-fs-sync.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import type { QueueLayout } from "./layout.ts";

/** @throws MemspoolError UNSAFE_PATH for a symlink, DATA_DIR_UNUSABLE for anything else in the way */
export function ensureQueueDirectories(fs: DurableFsSync, layout: QueueLayout): void {
  ensureDirectory(fs, dirname(layout.dir), { symlinkAllowed: true });
  for (const dir of [
    layout.dir,
    layout.quarantineDir,
    layout.doneDir,
    layout.overflowDir,
    layout.ingesterDir,
  ]) {
    ensureDirectory(fs, dir, { symlinkAllowed: false });
  }
  syncUpwards(fs, layout.dir);
}

/** As mkdir -p with mode 0700. */
function ensureDirectory(
  fs: DurableFsSync,
  dir: string,
  options: { symlinkAllowed: boolean },
): void {
  const kind = kindOf(fs, dir);
  if (kind === "directory" || (kind === "symlink" && options.symlinkAllowed)) return;
  if (kind === "symlink") {
    throw new MemspoolError(
      "UNSAFE_PATH",
      `${dir} is a symbolic link. memspool does not follow links out of its data directory: ` +
        "move the real directory there, or set MEMSPOOL_HOME to where it is.",
      { details: { path: dir } },
    );
  }
  if (kind !== undefined) throw unusable(dir, "ENOTDIR");
  const parent = dirname(dir);
  if (parent !== dir) ensureDirectory(fs, parent, { symlinkAllowed: true });
  try {
    fs.makeDirectory(dir);
  } catch (error) {
    // EEXIST: another process made it a moment ago.
    if (!isErrno(error, "EEXIST")) throw unusable(dir, errnoOf(error) ?? "unknown", error);
  }
}

function kindOf(fs: DurableFsSync, path: string): string | undefined {
  try {
    return fs.facts(path).kind;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw unusable(path, errnoOf(error) ?? "unknown", error);
  }
}

/** The directory and everything above it, up to the root. */
function syncUpwards(fs: DurableFsSync, dir: string): void {
  syncIfOurs(fs, dir);
  const parent = dirname(dir);
  if (parent !== dir) syncUpwards(fs, parent);
}

function syncIfOurs(fs: DurableFsSync, dir: string): void {
  try {
    syncDirectorySync(fs, dir);
  } catch (error) {
    // A parent that we may not open was not made by us; one without fsync has none to lose.
    if (!isErrno(error, "EACCES", "EPERM", "EINVAL", "EROFS")) {
      throw unusable(dir, errnoOf(error) ?? "unknown", error);
    }
  }
}

function unusable(path: string, errno: string, cause?: unknown): MemspoolError {
  return new MemspoolError(
    "DATA_DIR_UNUSABLE",
    `${path} can not be used as a directory (${errno}). Check that it is on a writable disk and ` +
      "belongs to this user, or set MEMSPOOL_HOME to another place.",
    { details: { path, errno }, ...(cause === undefined ? {} : { cause }) },
  );
}
