/**
 * Which of an export's records are here already, wherever they are.
 *
 * Guarantees: looks in the direction in which records move (pending, spill, store, quarantine).
 * What arrives between the look and the capture is no harm: the capture is idempotent by id.
 */
import type { DurableFs } from "../../platform/durable-fs.ts";
import { type QueueLayout, quarantinedUlid } from "../../queue/layout.ts";
import { quarantineNames } from "../../queue/quarantine-list.ts";
import { readPending, readQuarantined } from "../../queue/read-pending.ts";
import { lookAtSegmentFile } from "../../queue/segment-file.ts";
import { readSegment, sortSegments } from "../../queue/spill-segment.ts";
import type { MemoryStore, StoreLookup } from "../../store/memory-store.ts";

export interface KnownParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  /** Absent if nothing was ever ingested. */
  readonly store: Pick<MemoryStore, "lookup"> | undefined;
  /** Ids of orders to forget that are under way. */
  readonly beingForgotten?: () => Promise<ReadonlySet<string>>;
}

/**
 * @returns for each id that is here the hashes of its texts; none, and no further ones, for an id that
 *   was forgotten
 */
export async function knownHashes(
  parts: KnownParts,
  ulids: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { fs, layout, store } = parts;
  const found = new Map<string, Set<string>>();
  const add = (ulid: string, sha256: string | undefined) => {
    if (sha256 === undefined) return;
    const hashes = found.get(ulid) ?? new Set();
    found.set(ulid, hashes.add(sha256));
  };
  for (const ulid of ulids) {
    add(ulid, (await readPending(fs, layout, ulid))?.envelope?.sha256);
  }
  await eachSpilled(parts, ulids, add);
  const stored = (await store?.lookup(ulids)) ?? new Map<string, StoreLookup>();
  for (const [ulid, known] of stored) {
    if (known.state !== "forgotten") add(ulid, known.sha256);
  }
  const names = await quarantineNames(fs, layout);
  const quarantined = new Set(names.map(quarantinedUlid));
  for (const ulid of ulids) {
    if (!quarantined.has(ulid)) continue;
    add(ulid, (await readQuarantined(fs, layout, ulid))?.envelope?.sha256);
  }
  for (const [ulid, { state }] of stored) if (state === "forgotten") found.set(ulid, new Set());
  for (const ulid of (await parts.beingForgotten?.()) ?? []) found.set(ulid, new Set());
  return found;
}

async function eachSpilled(
  { fs, layout }: KnownParts,
  ulids: readonly string[],
  add: (ulid: string, sha256: string) => void,
): Promise<void> {
  const segments = sortSegments(await fs.names(layout.overflowDir).catch(() => []));
  for (const { name, first, last } of segments) {
    const inside = new Set(ulids.filter((ulid) => first <= ulid && ulid <= last));
    if (inside.size === 0) continue;
    const file = await lookAtSegmentFile(fs, layout, name);
    // Gone: its records are in the store, which is asked next. Not readable now: what it holds may
    // be captured again, under its id.
    if (!file?.bytes) continue;
    for (const { ulid, sha256 } of readSegment(file.bytes).envelopes) {
      if (inside.has(ulid)) add(ulid, sha256);
    }
  }
}
