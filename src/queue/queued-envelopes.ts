/**
 * Whole envelopes of given records that still lie in queue, overflow or quarantine, one by one.
 * Changes nothing on disk; what is damaged is left out, because nobody can say what it says.
 */
import { join } from "node:path";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import type { Envelope } from "../record/envelope.ts";
import { decodeMembers } from "./archive-member.ts";
import { pendingPath, type QueueLayout, quarantinedUlid } from "./layout.ts";
import { namesIn } from "./purge-archive.ts";
import type { Wanted } from "./purge-members.ts";
import { envelopeAt } from "./purge-queue.ts";
import { listSegmentsSync, readSegmentFile } from "./segment-file.ts";
import { readSegmentLine } from "./spill-segment.ts";

/** In the direction in which records move, so that what moves meanwhile is met. */
export function* queuedEnvelopes(
  fs: DurableFsSync,
  layout: QueueLayout,
  ulids: Wanted,
): Generator<Envelope> {
  for (const ulid of ulids) {
    const envelope = envelopeAt(fs, pendingPath(layout, ulid), ulid);
    if (envelope) yield envelope;
  }
  for (const { name } of listSegmentsSync(fs, layout)) {
    const bytes = readSegmentFile(fs, layout, name);
    if (!bytes) continue;
    for (const { lines } of decodeMembers(bytes, () => {})) {
      for (const line of lines) {
        const { envelope } = readSegmentLine(line);
        if (envelope && ulids.has(envelope.ulid)) yield envelope;
      }
    }
  }
  for (const name of namesIn(fs, layout.quarantineDir)) {
    const ulid = quarantinedUlid(name);
    if (ulid === undefined || !ulids.has(ulid)) continue;
    const envelope = envelopeAt(fs, join(layout.quarantineDir, name), ulid);
    if (envelope) yield envelope;
  }
}
