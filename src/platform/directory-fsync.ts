/**
 * Tells a platform without directory fsync from a directory fsync that failed.
 *
 * Windows opens no directory for writing, and some network and FUSE file systems answer EINVAL or
 * ENOTSUP. Nothing that a program does makes a name more durable there, so the promise ends at the
 * file's fsync, and whoever calls goes on (docs/decisions/0016). Everything else, EIO before all,
 * is a failure.
 */
import { isErrno } from "./errno.ts";

export type DirectorySyncStep = "open" | "fsync";

/** What the call gives where it is not there: fsync(2), "fd … does not support synchronization". */
const NO_FSYNC = ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** @param platform a seam */
export function lacksDirectoryFsync(
  error: unknown,
  step: DirectorySyncStep,
  platform: NodeJS.Platform = process.platform,
): boolean {
  if (platform === "win32" && isErrno(error, "EPERM", "EACCES", "EISDIR")) return true;
  return step === "open" ? isErrno(error, "EISDIR") : isErrno(error, ...NO_FSYNC);
}
