/**
 * `mkdir -p` with mode 0700.
 *
 * Guarantees: what is there stays as it is. Does not say what that is, follows symlinks above the
 * last name, and syncs nothing: a crash may take the new names away.
 */
import { dirname } from "node:path";
import type { DurableFsSync } from "./durable-fs-sync.ts";
import { isErrno } from "./errno.ts";

/** @throws the system error of the first directory that can not be made */
export function makeDirectories(fs: DurableFsSync, directory: string): void {
  try {
    fs.makeDirectory(directory);
  } catch (error) {
    if (isErrno(error, "EEXIST")) return;
    const parent = dirname(directory);
    if (!isErrno(error, "ENOENT") || parent === directory) throw error;
    makeDirectories(fs, parent);
    makeLast(fs, directory);
  }
}

function makeLast(fs: DurableFsSync, directory: string): void {
  try {
    fs.makeDirectory(directory);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error; // another process was a moment faster
  }
}
