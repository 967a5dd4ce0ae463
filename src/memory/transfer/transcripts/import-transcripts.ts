/**
 * `memspool import transcripts`: what was said before memspool listened, out of the files that
 * assistants' clients keep. docs/TRANSCRIPTS.md.
 *
 * Guarantees: what is counted as captured is on disk. The same turn is stored once, however often it
 * is imported, whatever hooks captured of it, and in however many files it stands. A line that is not
 * understood is kept as it is; none is left out without being counted. A file that can not be read is
 * told, and the others go on. Killed anywhere, importing again does the rest.
 */
import {
  type PlaceNote,
  type TranscriptFile,
  type TranscriptOptions,
  type TranscriptParts,
  type TranscriptsResult,
  TranscriptTally,
} from "./import-job.ts";
import { FileFault, readTranscript } from "./transcript-reader.ts";
import { TurnBatch } from "./turn-batch.ts";

/**
 * @param files oldest first
 * @param failed places that could not even be listed
 * @throws MemspoolError CAPTURE_FAILED, QUEUE_FULL and what else a capture throws; what came before
 *   is captured
 */
export async function importTranscripts(
  parts: TranscriptParts,
  files: readonly TranscriptFile[],
  failed: readonly PlaceNote[],
  options: TranscriptOptions = {},
): Promise<TranscriptsResult> {
  const tally = new TranscriptTally();
  for (const { file, reason } of failed) tally.failFile(file, reason);
  const batch = new TurnBatch(parts, options, tally);
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let doneBytes = 0;
  for (const file of files) {
    options.signal?.throwIfAborted();
    tally.files++;
    const onBytes = (bytes: number) => {
      // A file may have grown since it was found.
      options.onProgress?.(doneBytes + Math.min(bytes, file.bytes), totalBytes);
    };
    try {
      await readTranscript({ ...parts, options, tally, batch, onBytes }, file);
    } catch (error) {
      if (!(error instanceof FileFault)) throw error;
      tally.failFile(file.path, error.message);
    }
    // Also of a file that failed half-way: what was read of it is in the batch.
    await batch.flush();
    doneBytes += file.bytes;
    options.onProgress?.(doneBytes, totalBytes);
  }
  return tally.result(options.dryRun === true);
}
