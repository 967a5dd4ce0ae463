/** `memspool export` and `memspool import` with the parts of this process. */
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Config } from "../config/settings.ts";
import { MemspoolError } from "../errors.ts";
import type { FilterInput } from "../memory/memory.ts";
import { recordFilter } from "../memory/record-filter.ts";
import type { RoomParts } from "../memory/transfer/capture-all.ts";
import {
  type ExportResult,
  type ExportSink,
  everyItem,
  exportRecords,
} from "../memory/transfer/export.ts";
import { intoFile } from "../memory/transfer/export-file.ts";
import { importRecords } from "../memory/transfer/import.ts";
import type { ImportOptions, ImportParts, ImportResult } from "../memory/transfer/import-job.ts";
import type { Clock } from "../platform/clock.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import { errnoOf } from "../platform/errno.ts";
import { ForgetView } from "../queue/forget-view.ts";
import type { QueueLayout } from "../queue/layout.ts";
import type { MemoryRecord } from "../record/memory-record.ts";
import type { MemoryStore, StoreReader } from "../store/memory-store.ts";
import { openStore } from "../store/open-store.ts";

export type { ExportResult, ExportSink } from "../memory/transfer/export.ts";
export type { ImportFormat, ImportOptions, ImportResult } from "../memory/transfer/import-job.ts";

/** A file to be made, or somebody who takes the text piece by piece. */
export type ExportTarget =
  | { readonly file: string; readonly force: boolean; readonly sink?: undefined }
  | { readonly sink: ExportSink; readonly file?: undefined };

export interface ExportHereOptions {
  /** Without a project everything is meant. */
  readonly filter?: FilterInput;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export type ImportSource =
  | { readonly file: string; readonly chunks?: undefined }
  | { readonly chunks: AsyncIterable<Uint8Array | string>; readonly file?: undefined };

export interface TransferParts {
  readonly layout: QueueLayout;
  readonly storeFile: string;
  readonly clock: Clock;
}

/** @throws as exportRecords and intoFile */
export async function exportHere(
  parts: TransferParts,
  target: ExportTarget,
  options: ExportHereOptions,
): Promise<ExportResult> {
  const { filter: input = {}, onProgress, signal } = options;
  const filter = recordFilter({ ...input, project: input.project ?? "*" }, "");
  const wanted = {
    ...(Object.keys(filter).length === 0 ? {} : { filter }),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  };
  return withStore(parts, async (store) => {
    const { layout, clock } = parts;
    const hidden = await new ForgetView(nodeDurableFs, layout, clock).hidden();
    const exportParts = { fs: nodeDurableFs, layout, clock, version: MEMSPOOL_VERSION, store };
    const fill = (sink: ExportSink) => exportRecords(exportParts, sink, { ...wanted, hidden });
    if (target.file === undefined) return fill(target.sink);
    return intoFile(nodeDurableFs, target.file, { force: target.force }, fill);
  });
}

export interface ImportHereParts extends TransferParts {
  readonly config: Config;
  readonly queue: ImportParts["queue"];
  readonly store: Pick<StoreReader, "lookup">;
  /** Empties the queue, here or through the process that leads. */
  readonly drain: (options: { readonly signal?: AbortSignal }) => Promise<unknown>;
}

/** @throws as importRecords; INVALID_ARGUMENT for a file that can not be read */
export async function importHere(
  parts: ImportHereParts,
  source: ImportSource,
  options: ImportOptions,
): Promise<ImportResult> {
  const { config, layout, queue, store } = parts;
  const importParts: ImportParts = {
    fs: nodeDurableFs,
    layout,
    queue,
    store,
    beingForgotten: () => new ForgetView(nodeDurableFs, layout, parts.clock).hidden(),
    project: config.project,
    textBytesMax: config["record.maxBytes"],
    ...roomParts(parts, options),
    knownKeys: (name, project) => keysOf(parts, name, project),
  };
  if (source.file === undefined) return importRecords(importParts, source.chunks, options);
  const file = await open(source.file, "r").catch((error: unknown) => {
    throw unreadable(source.file, error);
  });
  try {
    return await importRecords(importParts, file.createReadStream({ autoClose: false }), options);
  } catch (error) {
    throw error instanceof MemspoolError ? error : unreadable(source.file, error);
  } finally {
    await file.close();
  }
}

/** How an import of many records makes room in the queue. */
export function roomParts(
  { config, drain }: Pick<ImportHereParts, "config" | "drain">,
  { signal, onHeldUp }: Pick<RoomParts, "signal" | "onHeldUp">,
): RoomParts {
  // A queue that loses its oldest must not get so far.
  const losesOldest = config["queue.overflow"] === "drop-oldest";
  return {
    makeRoom: async () => void (await drain({ ...(signal && { signal }) })),
    makeRoomEvery: losesOldest ? Math.ceil(config["queue.maxRecords"] / 2) : undefined,
    signal,
    onHeldUp,
  };
}

/** Idempotency keys of what a project holds from a source, in the store or on its way there. */
async function keysOf(parts: TransferParts, source: string, project: string): Promise<Set<string>> {
  const keys = new Set<string>();
  const named = `"source":${JSON.stringify(source)}`;
  const sourceParts = { fs: nodeDurableFs, layout: parts.layout, onUnreadable: () => {} };
  await withStore(parts, async (store) => {
    for await (const { recordJson } of everyItem({ store }, sourceParts)) {
      if (!recordJson.includes(named)) continue; // taking each apart would cost ten times as much
      const record = JSON.parse(recordJson) as MemoryRecord;
      if (record.source !== source || (record.project ?? "") !== project) continue;
      if (record.idempotency_key !== undefined) keys.add(record.idempotency_key);
    }
  });
  return keys;
}

/** Opens the store for reading, if there is one, and closes it again. */
export async function withStore<T>(
  { storeFile: file, clock }: TransferParts,
  use: (store: MemoryStore | undefined) => Promise<T>,
): Promise<T> {
  if (!existsSync(file)) return use(undefined);
  const store = await openStore({ file, readOnly: true, clock });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function unreadable(file: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  return new MemspoolError(
    "INVALID_ARGUMENT",
    `${file} can not be read (${errno}). Check its name.`,
    {
      details: { path: file, errno },
      cause: error,
    },
  );
}
