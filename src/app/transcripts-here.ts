/** `memspool import transcripts` with the parts of this process. */
import { Captures } from "../memory/capture.ts";
import type { AppendingQueue } from "../memory/gated-queue.ts";
import type { CaptureInput, Memory } from "../memory/memory.ts";
import type { Privacy } from "../memory/privacy/privacy.ts";
import { everyItem } from "../memory/transfer/export.ts";
import type {
  ProjectOf,
  TranscriptOptions,
  TranscriptsResult,
} from "../memory/transfer/transcripts/import-job.ts";
import { importTranscripts } from "../memory/transfer/transcripts/import-transcripts.ts";
import { KnownTurns } from "../memory/transfer/transcripts/known-turns.ts";
import {
  findTranscripts,
  type TranscriptRoot,
} from "../memory/transfer/transcripts/transcript-files.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import { nodeDurableFsSync } from "../platform/durable-fs-sync.ts";
import { type ImportHereParts, roomParts, type TransferParts, withStore } from "./transfer-here.ts";

export interface TranscriptsHereParts extends ImportHereParts {
  readonly memory: Pick<Memory, "receipt">;
  readonly privacy: Privacy;
  /** Takes records as they are: an import has done with privacy before it makes them. */
  readonly rawQueue: AppendingQueue;
  readonly transcriptsDir: string;
}

export interface TranscriptsHereOptions extends TranscriptOptions {
  readonly projectOf: ProjectOf;
}

/** @throws as findTranscripts and importTranscripts */
export async function importTranscriptsHere(
  parts: TranscriptsHereParts,
  roots: readonly TranscriptRoot[],
  { projectOf, ...options }: TranscriptsHereOptions,
): Promise<TranscriptsResult> {
  const { config, memory, privacy, rawQueue: queue, transcriptsDir: statesDir } = parts;
  const { files, failed } = await findTranscripts(roots);
  const captures = new Captures({ queue, project: "", onCaptured: () => {} });
  const transcriptParts = {
    fs: nodeDurableFs,
    fsSync: nodeDurableFsSync,
    statesDir,
    privacy,
    capture: (input: CaptureInput) => captures.capture(input),
    receipt: (ulid: string) => memory.receipt(ulid),
    textBytesMax: config["record.maxBytes"],
    knownTurns: () => knownTurns(parts),
    projectOf,
    ...roomParts(parts, options),
  };
  return importTranscripts(transcriptParts, files, failed, options);
}

async function knownTurns(parts: TransferParts): Promise<KnownTurns> {
  const known = new KnownTurns();
  const sourceParts = { fs: nodeDurableFs, layout: parts.layout, onUnreadable: () => {} };
  await withStore(parts, async (store) => {
    for await (const { ulid, recordJson } of everyItem({ store }, sourceParts)) {
      known.see(ulid, recordJson);
    }
  });
  return known;
}
