/** The names of a directory and of everything above it, made durable. */
import { dirname } from "node:path";
import { type DurableFsSync, syncDirectorySync } from "../../platform/durable-fs-sync.ts";
import { isErrno } from "../../platform/errno.ts";

/** @throws the system error of a directory that we may open and that fails */
export function syncUpwards(fs: DurableFsSync, directory: string): void {
  for (let path = directory; ; path = dirname(path)) {
    try {
      syncDirectorySync(fs, path);
    } catch (error) {
      // A parent that we may not open was not made by us.
      if (!isErrno(error, "EACCES", "EPERM", "EROFS")) throw error;
    }
    if (dirname(path) === path) return;
  }
}
