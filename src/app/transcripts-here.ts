/** `memspool import transcripts` with the parts of this process. */
import type { CaptureInput, Memory } from "../memory/memory.ts";
import { everyItem } from "../memory/transfer/export.ts";
import type {
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
  readonly memory: Pick<Memory, "capture" | "receipt">;
  readonly transcriptsDir: string;
}

/** @throws as findTranscripts and importTranscripts */
export async function importTranscriptsHere(
  parts: TranscriptsHereParts,
  roots: readonly TranscriptRoot[],
  options: TranscriptOptions,
): Promise<TranscriptsResult> {
  const { config, memory, transcriptsDir: statesDir } = parts;
  const { files, failed } = await findTranscripts(roots);
  const transcriptParts = {
    fs: nodeDurableFs,
    fsSync: nodeDurableFsSync,
    statesDir,
    capture: (input: CaptureInput) => memory.capture(input),
    receipt: (ulid: string) => memory.receipt(ulid),
    textBytesMax: config["record.maxBytes"],
    knownTurns: () => knownTurns(parts),
    projectOf,
    ...roomParts(parts, options.signal),
  };
  return importTranscripts(transcriptParts, files, failed, options);
}

/** Leaves the project to the capture, which takes the one that is configured. */
async function projectOf(_cwd: string): Promise<string | undefined> {
  return undefined;
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
