/** A place that a backup, a restore or an export writes to, and that failed. */
import { MemspoolError } from "../../errors.ts";
import { errnoOf } from "../../platform/errno.ts";

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: "Its disk is full: free space or name another place",
  EDQUOT: "The quota is used up: free space or name another place",
  ENOENT: "Its directory is not there: make it or name another place",
  ENOTDIR: "A part of this path is a file: name another place",
  EROFS: "It is on a read-only file system: name another place",
  EACCES: "It is not writable for this user: correct its mode or name another place",
  EPERM: "It is not writable for this user: correct its mode or name another place",
};

/** The MemspoolError for a system error; any other value comes back as it is. */
export function writeFailed(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof MemspoolError) return error;
  const advice = ADVICE[errno] ?? "See whether its disk is sound";
  return new MemspoolError(
    "DATA_DIR_UNUSABLE",
    `${path} can not be written (${errno}). ${advice}, and run it again. No record was changed.`,
    { details: { path, errno }, cause: error },
  );
}
