/**
 * Takes away what this process made and could not finish.
 *
 * Guarantees: follows no symlink, and never throws: what stays is named as unfinished.
 */
import { join } from "node:path";
import { type DurableFsSync, factsIfThere } from "../../platform/durable-fs-sync.ts";

/** A backup has two levels of directories. */
const DEPTH_MAX = 4;

export function removeTree(fs: DurableFsSync, path: string, depth = 0): void {
  try {
    const kind = factsIfThere(fs, path)?.kind;
    if (kind === undefined || depth > DEPTH_MAX) return;
    if (kind !== "directory") {
      fs.unlink(path);
      return;
    }
    for (const name of fs.names(path)) removeTree(fs, join(path, name), depth + 1);
    fs.removeDirectory(path);
  } catch {
    // The failure that led here is the one to tell; a leftover has a name of its own.
  }
}
