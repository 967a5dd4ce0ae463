/**
 * The overflow directory's segments as files: listed by name, read whole.
 *
 * Guarantees: never follows a symlink, never waits on a FIFO, never reads more than a segment can
 * hold; foreign names are left out. Changes nothing on disk.
 */
import type { DurableFs } from "../platform/durable-fs.ts";
import { type DurableFsSync, readRegularFile } from "../platform/durable-fs-sync.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
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

/** A segment's bytes, or what keeps them from being read. */
export type SegmentLook =
  | { readonly bytes: Buffer; readonly obstacle?: undefined }
  | { readonly bytes?: undefined; readonly obstacle: string };

/** For the thread that talks to the client. undefined if it is gone. */
export async function lookAtSegmentFile(
  fs: DurableFs,
  layout: QueueLayout,
  name: string,
): Promise<SegmentLook | undefined> {
  const path = segmentPath(layout, name);
  try {
    const { kind, bytes } = await fs.facts(path);
    if (kind !== "file") return { obstacle: `it is a ${kind}` };
    if (bytes > SEGMENT_BYTES_MAX) {
      return { obstacle: `it is larger than ${SEGMENT_BYTES_MAX} bytes` };
    }
    return { bytes: await fs.read(path) };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return { obstacle: errno };
  }
}
