/**
 * What would keep the next capture from being written, seen without writing.
 *
 * Guarantees: one call of access(2) a directory; changes nothing. Does not know everything: a disk
 * that is full or fails, and modes that root does not feel, only a write shows; `memspool doctor`
 * does one.
 */
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../platform/errno.ts";

/**
 * @param directory where captures are written; if it is not there yet, what counts is the first
 *   directory above it that is
 * @returns the errno name, `EROFS` on a read-only mount; undefined if nothing is in the way
 */
export async function captureObstacle(directory: string): Promise<string | undefined> {
  for (let at = directory; ; at = dirname(at)) {
    try {
      await access(at, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      // ENOENT: the first capture makes it, where that can be made.
      if (errno !== "ENOENT" || dirname(at) === at) return errno;
    }
  }
}
