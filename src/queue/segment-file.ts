/**
 * The overflow directory's segments as files: listed by name, read whole.
 *
 * Guarantees: never follows a symlink, never waits on a FIFO, never reads more than a segment can
 * hold; foreign names are left out. Changes nothing on disk.
 */
import { type DurableFsSync, readRegularFile } from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import type { QueueLayout } from "./layout.ts";
import { type SegmentName, segmentPath, sortSegments } from "./spill-segment.ts";

/** More than a spill writes into one file: it stops taking records at 8 MiB. */
export const SEGMENT_BYTES_MAX = 64 * 1_048_576;

/**
 * Oldest first.
 * @throws the system error of the directory; one that is not there holds none
 */
export function listSegmentsSync(fs: DurableFsSync, layout: QueueLayout): SegmentName[] {
  try {
    return sortSegments(fs.names(layout.overflowDir));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Records in segments, by what their names say. @throws the system error of the directory */
export function countSpilledSync(fs: DurableFsSync, layout: QueueLayout): number {
  return listSegmentsSync(fs, layout).reduce((sum, { count }) => sum + count, 0);
}

/**
 * A segment's bytes; undefined if it is gone.
 * @throws the system error of the reading; EISDIR, ELOOP, EINVAL or EFBIG for what no spill made
 */
export function readSegmentFile(
  fs: DurableFsSync,
  layout: QueueLayout,
  name: string,
): Buffer | undefined {
  return readRegularFile(fs, segmentPath(layout, name), SEGMENT_BYTES_MAX);
}
