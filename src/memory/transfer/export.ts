/**
 * `memspool export`: every record as one line of JSON.
 *
 * Guarantees: every record that was acknowledged before the call is in it, whether it is in the
 * store, pending, spilled or (marked as such) in quarantine, once, in the order of ids; an id that
 * is a duplicate has a line of its own. Goes on while records move: what is gone from its place is
 * looked for again in all of them. Memory does not grow with the number of records.
 * Does not guarantee one moment: what is captured meanwhile may be in it or not.
 */
import { MemspoolError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { DurableFs } from "../../platform/durable-fs.ts";
import type { QueueLayout } from "../../queue/layout.ts";
import type { MemoryRecord } from "../../record/memory-record.ts";
import type { MemoryStore, RecordFilter } from "../../store/memory-store.ts";
import { LoopTurns } from "../loop-turns.ts";
import { matchesFilter } from "../record-filter.ts";
import { type ExportItem, encodeExportLine, exportHeader } from "./export-line.ts";
import {
  countPending,
  countSpilled,
  type ExportSource,
  queueSources,
  type SourceParts,
  storeSource,
} from "./export-sources.ts";

export interface ExportParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly version: string;
  /** Absent if nothing was ever ingested. */
  readonly store: Pick<MemoryStore, "exportRows" | "stats"> | undefined;
}

/** Takes the text piece by piece; resolves when it can take more. */
export interface ExportSink {
  write(text: string): Promise<void>;
}

export interface ExportOptions {
  /** Which records are meant; all unless given. */
  readonly filter?: RecordFilter;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
  /** Ids that are left out: they are being forgotten. */
  readonly hidden?: ReadonlySet<string>;
}

export interface ExportResult {
  /** Lines, the first one not counted. */
  readonly exported: number;
  /** Of them: ids that are duplicates of a record. */
  readonly duplicates: number;
  /** Of them: records that were set aside. */
  readonly quarantined: number;
  /** Files in the queue whose records could not be read and are missing. */
  readonly unreadable: readonly string[];
}

const PIECE_CHARS = 65_536;
const UNREADABLE_NAMES_MAX = 1_000;
/** Looks in a row that found everything moved; more are not credible. */
const LOOKS_MAX = 1_000;

/** @throws MemspoolError STORE_UNAVAILABLE; what the sink throws; system errors of the queue */
export async function exportRecords(
  parts: ExportParts,
  sink: ExportSink,
  options: ExportOptions = {},
): Promise<ExportResult> {
  const { filter, onProgress, signal, hidden = new Set() } = options;
  const total = await estimate(parts);
  const unreadable = new Set<string>();
  const counts = { exported: 0, duplicates: 0, quarantined: 0 };
  const turns = new LoopTurns();
  let piece = exportHeader(parts.version, new Date(parts.clock.nowMs()).toISOString());
  let seen = 0;
  const sourceParts = { ...parts, onUnreadable: (name: string) => note(unreadable, name) };
  for await (const item of everyItem(parts, sourceParts)) {
    signal?.throwIfAborted();
    await turns.worked(item.recordJson.length);
    onProgress?.(++seen, Math.max(seen, total));
    if (hidden.has(item.ulid) || hidden.has(item.duplicateOf ?? "")) continue;
    if (filter !== undefined && !matches(filter, item)) continue;
    counts.exported++;
    if (item.duplicateOf !== undefined) counts.duplicates++;
    if (item.state === "quarantined") counts.quarantined++;
    piece += encodeExportLine(item);
    if (piece.length < PIECE_CHARS) continue;
    await sink.write(piece);
    piece = "";
  }
  if (piece !== "") await sink.write(piece);
  return { ...counts, unreadable: [...unreadable].sort() };
}

/** Everything in the order of ids; what moves meanwhile is looked for from the last id on. */
export async function* everyItem(
  parts: Pick<ExportParts, "store">,
  sourceParts: SourceParts,
): AsyncGenerator<ExportItem> {
  let last = "";
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    // The queue is listed before the store is read: the direction in which records move.
    const queue = await queueSources(sourceParts, last);
    const { store } = parts;
    const rows =
      store === undefined
        ? []
        : [storeSource(store, "records", last), storeSource(store, "aliases", last)];
    const sources = [...rows, ...queue];
    for (;;) {
      const items = await takeNext(sources);
      if (items === "end") return;
      if (items === "moved") break;
      for (const item of items) yield item;
      last = items[0]?.ulid ?? last;
      looks = 0;
    }
  }
  throw new MemspoolError(
    "DATA_DIR_UNUSABLE",
    "Files in the queue keep vanishing before they can be read. Stop what removes them, and export " +
      "again.",
  );
}

/** The versions of the least id: the same text once, from the place it gets to last. */
async function takeNext(sources: readonly ExportSource[]): Promise<ExportItem[] | "end" | "moved"> {
  let least: string | undefined;
  for (const source of sources) {
    const head = await source.peek();
    if (head === "moved") return "moved";
    if (head !== "end" && (least === undefined || head.ulid < least)) least = head.ulid;
  }
  if (least === undefined) return "end";
  const versions = new Map<string, ExportItem>();
  for (const source of sources) {
    for (let head = await source.peek(); typeof head === "object" && head.ulid === least; ) {
      if (!versions.has(head.sha256)) versions.set(head.sha256, head);
      source.drop();
      head = await source.peek();
    }
  }
  return [...versions.values()];
}

function matches(filter: RecordFilter, { recordJson, appendedAt }: ExportItem): boolean {
  return matchesFilter(filter, JSON.parse(recordJson) as MemoryRecord, appendedAt);
}

async function estimate({ fs, layout, store }: ExportParts): Promise<number> {
  const stats = await store?.stats();
  const queued = (await countPending(fs, layout)) + (await countSpilled(fs, layout));
  return queued + (stats === undefined ? 0 : stats.records + stats.aliases);
}

function note(names: Set<string>, name: string): void {
  if (names.size < UNREADABLE_NAMES_MAX) names.add(name);
}
