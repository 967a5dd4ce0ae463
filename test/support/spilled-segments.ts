/** Segments of spilled records as a full queue makes them, and damage to their files. */
import { readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { encodeMember } from "../../src/queue/archive-member.ts";
import { pendingPath, type QueueLayout } from "../../src/queue/layout.ts";
import { encodeSegment, newSegmentName, segmentPath } from "../../src/queue/spill-segment.ts";

/** Moves pending records into one segment; returns its name. */
export function spill(layout: QueueLayout, ulids: readonly string[]): string {
  const name = copyToSegment(layout, ulids);
  for (const ulid of ulids) unlinkSync(pendingPath(layout, ulid));
  return name;
}

/** The same, and a crash before the pending names go. */
export function copyToSegment(layout: QueueLayout, ulids: readonly string[]): string {
  return addSegment(
    layout,
    ulids.map((ulid) => ({ ulid, bytes: readFileSync(pendingPath(layout, ulid)) })),
  );
}

/** A segment as a spill names and writes it. */
export function addSegment(
  layout: QueueLayout,
  envelopes: readonly { readonly ulid: string; readonly bytes: Buffer }[],
): string {
  const [first, last] = [envelopes[0]?.ulid ?? "", envelopes.at(-1)?.ulid ?? ""];
  const name = newSegmentName(first, last, envelopes.length);
  const bytes = encodeSegment(envelopes.map((envelope) => envelope.bytes));
  writeFileSync(segmentPath(layout, name), bytes);
  return name;
}

/** A segment of any lines, one member each, such as no spill would write. */
export function writeSegment(
  layout: QueueLayout,
  ids: { readonly first: string; readonly last: string },
  lines: readonly Buffer[],
): string {
  const name = newSegmentName(ids.first, ids.last, lines.length);
  const members = lines.map((line) => encodeMember([line]));
  writeFileSync(segmentPath(layout, name), Buffer.concat(members));
  return name;
}

/** Names in the overflow directory. */
export function overflowNames(layout: QueueLayout): string[] {
  return readdirSync(layout.overflowDir).sort();
}

/** Flips one bit of a segment. */
export function flip(layout: QueueLayout, name: string, at: number): void {
  const path = segmentPath(layout, name);
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}
