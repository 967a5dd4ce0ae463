/**
 * The places that an export reads, each as a sorted stream of records.
 *
 * Guarantees: one page, one envelope or the overlapping segments are in memory, however much there
 * is. A file that is gone when its turn comes is reported as `moved`, because its record may have
 * reached a place that was read already. Changes nothing on disk.
 */
import { join } from "node:path";
import type { DurableFs } from "../../platform/durable-fs.ts";
import { isErrno } from "../../platform/errno.ts";
import { type QueueLayout, quarantinedUlid } from "../../queue/layout.ts";
import { sortNames } from "../../queue/pending-list.ts";
import { quarantineNames } from "../../queue/quarantine-list.ts";
import { lookAtEnvelope, readPending } from "../../queue/read-pending.ts";
import { lookAtSegmentFile } from "../../queue/segment-file.ts";
import {
  parseSegmentName,
  readSegment,
  type SegmentName,
  sortSegments,
} from "../../queue/spill-segment.ts";
import type { Envelope } from "../../record/envelope.ts";
import type { MemoryStore } from "../../store/memory-store.ts";
import type { ExportItem } from "./export-line.ts";

/** `moved`: look again, from the last id that was taken. */
export type Head = ExportItem | "end" | "moved";

/** Items by ascending id. */
export interface ExportSource {
  peek(): Promise<Head>;
  /** Takes the item that `peek` showed. */
  drop(): void;
}

export interface SourceParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  /** Told of each file that can not be read, by its name. */
  readonly onUnreadable: (name: string) => void;
}

const PAGE_COUNT_MAX = 500;
const PAGE_CHARS_MAX = 4 * 1_048_576;

/** Rows of the store behind an id. */
export function storeSource(
  store: Pick<MemoryStore, "exportRows">,
  of: "records" | "aliases",
  after: string,
): ExportSource {
  return sourceOf(async function* () {
    for (let last = after; ; ) {
      const limits = { countMax: PAGE_COUNT_MAX, charsMax: PAGE_CHARS_MAX };
      const page = await store.exportRows({
        of,
        ...limits,
        ...(last === "" ? {} : { after: last }),
      });
      yield* page;
      const end = page.at(-1);
      if (end === undefined) return;
      last = end.ulid;
    }
  });
}

/** @returns pending records, spilled ones, and those in quarantine, each behind an id */
export async function queueSources(parts: SourceParts, after: string): Promise<ExportSource[]> {
  const { fs, layout } = parts;
  // Quarantine twice, around the others: a retry takes records the other way.
  const quarantinedBefore = await quarantineNames(fs, layout);
  const { ulids } = sortNames(await namesOf(fs, layout.dir));
  const segments = sortSegments(await namesOf(fs, layout.overflowDir));
  const quarantined = new Set([...quarantinedBefore, ...(await quarantineNames(fs, layout))]);
  return [
    sourceOf(() =>
      pendingItems(
        parts,
        ulids.filter((ulid) => ulid > after),
      ),
    ),
    sourceOf(() =>
      spilledItems(
        parts,
        segments.filter(({ last }) => last > after),
        after,
      ),
    ),
    sourceOf(() => quarantinedItems(parts, [...quarantined].sort(), after)),
  ];
}

/** Records in segments, by what their names say. */
export async function countSpilled(fs: DurableFs, layout: QueueLayout): Promise<number> {
  const names = await namesOf(fs, layout.overflowDir);
  return names.reduce((sum, name) => sum + (parseSegmentName(name)?.count ?? 0), 0);
}

export async function countPending(fs: DurableFs, layout: QueueLayout): Promise<number> {
  return sortNames(await namesOf(fs, layout.dir)).ulids.length;
}

async function* pendingItems(
  { fs, layout, onUnreadable }: SourceParts,
  ulids: readonly string[],
): AsyncGenerator<Head> {
  for (const ulid of ulids) {
    const look = await readPending(fs, layout, ulid);
    if (look === undefined) yield "moved";
    else if (look.fault) onUnreadable(`pending-${ulid}.json`);
    else yield itemOf(look.envelope);
  }
}

/** Segments may overlap: those that may hold the next id are open at once. */
async function* spilledItems(
  { fs, layout, onUnreadable }: SourceParts,
  segments: readonly SegmentName[],
  after: string,
): AsyncGenerator<Head> {
  let waiting = segments;
  let open: Envelope[] = [];
  while (waiting.length > 0 || open.length > 0) {
    const next = waiting[0];
    const first = open[0];
    if (next !== undefined && (first === undefined || next.first <= first.ulid)) {
      waiting = waiting.slice(1);
      const file = await lookAtSegmentFile(fs, layout, next.name);
      if (!file?.bytes) {
        if (file) onUnreadable(next.name);
        else yield "moved";
        continue;
      }
      const { envelopes, faults, skipped } = readSegment(file.bytes);
      if (faults.length + skipped.length > 0) onUnreadable(next.name);
      open.push(...envelopes.filter(({ ulid }) => ulid > after));
      open.sort((one, other) => (one.ulid < other.ulid ? -1 : 1));
    } else if (first !== undefined) {
      open = open.slice(1);
      yield itemOf(first);
    }
  }
}

async function* quarantinedItems(
  { fs, layout, onUnreadable }: SourceParts,
  names: readonly string[],
  after: string,
): AsyncGenerator<Head> {
  for (const name of names) {
    const ulid = quarantinedUlid(name);
    if (ulid === undefined || ulid <= after) continue;
    const look = await lookAtEnvelope(fs, join(layout.quarantineDir, name), ulid);
    if (look === undefined) yield "moved";
    else if (look.fault) onUnreadable(name);
    else yield { ...itemOf(look.envelope), state: "quarantined" };
  }
}

function itemOf({ ulid, appendedAt, sha256, recordJson }: Envelope): ExportItem {
  return { ulid, appendedAt, sha256, recordJson };
}

function sourceOf(items: () => AsyncGenerator<Head>): ExportSource {
  const generator = items();
  let head: Head | undefined;
  return {
    peek: async () => {
      if (head === undefined) {
        const { done, value } = await generator.next();
        head = done ? "end" : value;
      }
      return head;
    },
    drop: () => {
      head = undefined;
    },
  };
}

async function namesOf(fs: DurableFs, directory: string): Promise<string[]> {
  try {
    return await fs.names(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // nothing was ever put there
    throw error;
  }
}
