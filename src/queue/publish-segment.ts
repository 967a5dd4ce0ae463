/**
 * Brings a segment of spilled records onto the disk.
 *
 * Guarantees: when `publishSegment` resolves, the segment is whole under its name in the overflow
 * directory and both survive a power cut (temp → write all → fsync → size check → link → directory
 * fsync); when it rejects, no name of it is left unless even removing it failed, and its records
 * are still pending.
 */
import { type DirectorySyncStep, lacksDirectoryFsync } from "../platform/directory-fsync.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno, NO_LINK_ERRNOS } from "../platform/errno.ts";
import { type QueueLayout, tempPath } from "./layout.ts";
import type { ReadEnvelope } from "./read-envelope.ts";
import { encodeSegment, newSegmentName, segmentPath } from "./spill-segment.ts";

export interface PublishSegmentParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
}

/**
 * @param envelopes at least one, in id order
 * @returns the segment's name
 * @throws the system error of the step that failed
 */
export async function publishSegment(
  parts: PublishSegmentParts,
  envelopes: readonly Pick<ReadEnvelope, "ulid" | "bytes">[],
): Promise<string> {
  const { fs, layout } = parts;
  const [first, last] = [envelopes[0], envelopes.at(-1)];
  if (!first || !last) throw new TypeError("a segment holds at least one record");
  const name = newSegmentName(first.ulid, last.ulid, envelopes.length);
  const temp = tempPath(layout, first.ulid);
  try {
    await writeWhole(fs, temp, encodeSegment(envelopes.map(({ bytes }) => bytes)));
    await giveName(fs, temp, segmentPath(layout, name));
    await syncDirectory(fs, layout.overflowDir);
    return name;
  } catch (error) {
    await discardSegment(parts, name);
    throw error;
  } finally {
    await fs.unlink(temp).catch(() => {}); // renamed already, or swept by recovery
  }
}

/** Takes a segment back whose records were not let go. It may stay: it is then ingested twice as one. */
export async function discardSegment(parts: PublishSegmentParts, name: string): Promise<void> {
  await parts.fs.unlink(segmentPath(parts.layout, name)).catch(() => {});
}

/** @throws the system error of the step that failed; the path may then hold part of the bytes */
export async function writeWhole(fs: DurableFs, path: string, bytes: Uint8Array): Promise<void> {
  const fd = await fs.openExclusive(path);
  try {
    for (let offset = 0; offset < bytes.length; ) {
      const written = await fs.write(fd, bytes, offset, bytes.length - offset);
      if (written <= 0) throw shortFile();
      offset += written;
    }
    await fs.fsync(fd);
    if ((await fs.size(fd)) !== bytes.length) throw shortFile();
  } finally {
    await fs.close(fd).catch(() => {}); // the fsync has vouched for the bytes, or its failure is told
  }
}

async function giveName(fs: DurableFs, temp: string, target: string): Promise<void> {
  try {
    await fs.link(temp, target);
  } catch (error) {
    // Where there are no links: the name is random, so nothing is there to be overwritten.
    if (!isErrno(error, ...NO_LINK_ERRNOS)) throw error;
    await fs.rename(temp, target);
  }
}

async function syncDirectory(fs: DurableFs, directory: string): Promise<void> {
  let step: DirectorySyncStep = "open";
  try {
    const fd = await fs.openDirectory(directory);
    step = "fsync";
    try {
      await fs.fsync(fd);
    } finally {
      await fs.close(fd).catch(() => {});
    }
  } catch (error) {
    if (!lacksDirectoryFsync(error, step)) throw error;
  }
}

function shortFile(): Error {
  return Object.assign(new Error("EIO: the segment is short"), { code: "EIO" });
}
