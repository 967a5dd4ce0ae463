/**
 * Questions that read the data directory, when the directory itself can not be read.
 *
 * Guarantees: what comes out is a MemspoolError, so that a caller learns what to look at; other
 * failures pass as they are.
 */
import { MemspoolError } from "../errors.ts";
import { errnoOf } from "../platform/errno.ts";

/** @throws MemspoolError DATA_DIR_UNUSABLE for a system error */
export async function readingDisk<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const errno = error instanceof MemspoolError ? undefined : errnoOf(error);
    if (errno === undefined) throw error;
    throw new MemspoolError(
      "DATA_DIR_UNUSABLE",
      `The data directory can not be read (${errno}). What was captured is still in it; ` +
        "see `memspool doctor`.",
      { details: { errno }, cause: error },
    );
  }
}
