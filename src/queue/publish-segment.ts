/**
 * Brings a segment of spilled records onto the disk.
 *
 * Guarantees: when `publishSegment` resolves, the segment is whole under its name in the overflow
 * directory and both survive a power cut (temp → write all → fsync → size check → link → directory
 * fsync); when it rejects, its records are still pending, and no name of it is left, unless even
 * removing it failed or one of the records has left the queue meanwhile.
 */
import { type DurableFs, syncDirectory, writeWhole } from "../platform/durable-fs.ts";
import { errnoOf, isErrno, NO_LINK_ERRNOS } from "../platform/errno.ts";
import { pendingPath, type QueueLayout, tempPath } from "./layout.ts";
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
    await discardSegment(parts, name, envelopes);
    throw error;
  } finally {
    await fs.unlink(temp).catch(() => {}); // renamed already, or swept by recovery
  }
}

/**
 * Takes a segment back whose records were not let go. It may stay: it is then ingested twice as one.
 * It must if one of them is no longer pending: recovery in another process may have found a line
 * about it, whole although the writing failed, and this very segment.
 */
export async function discardSegment(
  { fs, layout }: PublishSegmentParts,
  name: string,
  envelopes: readonly { readonly ulid: string }[],
): Promise<void> {
  try {
    for (const { ulid } of envelopes) await fs.facts(pendingPath(layout, ulid));
    await fs.unlink(segmentPath(layout, name));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
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
