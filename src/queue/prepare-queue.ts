/**
 * What the first append of a process needs: directories that are durable and ours.
 *
 * Guarantees: whatever fails here, nothing of any record is on disk yet, and the error says so. A
 * failure of the moment (a full disk) is a failed capture; a place that can never work is named.
 */
import { MemspoolError } from "../errors.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "./directories.ts";
import type { QueueLayout } from "./layout.ts";
import { captureFailed } from "./publish.ts";

/** Failures of the moment, and not of the place; the next append may succeed. */
const PASSING = ["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EIO", "ENOMEM"];

/** @throws MemspoolError CAPTURE_FAILED, UNSAFE_PATH, DATA_DIR_UNUSABLE, with `stored: "no"` */
export function prepareDirectories(fs: DurableFsSync, layout: QueueLayout): void {
  try {
    ensureQueueDirectories(fs, layout);
  } catch (error) {
    if (!(error instanceof MemspoolError)) throw error;
    const { code, message, details, cause } = error;
    if (PASSING.includes(String(details.errno))) {
      throw captureFailed("opening of the queue directory", cause, "no");
    }
    throw new MemspoolError(code, message, { details: { ...details, stored: "no" }, cause });
  }
}
