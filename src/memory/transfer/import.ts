/**
 * `memspool import`: records from an export, or from the official memory server's file, through the
 * queue.
 *
 * Guarantees: what is counted as captured is on disk. Records of an export keep their id, time and
 * text, proved by their hash; importing again stores nothing twice. Reading goes on only as records
 * become durable, so memory does not grow with the file. No line is left out without being counted.
 * Killed anywhere, importing the same file again does the rest.
 */
import { MemspoolError } from "../../errors.ts";
import { ENVELOPE_BYTES_MAX } from "../../record/limits.ts";
import { ExportImporter } from "./import-export.ts";
import { GraphImporter } from "./import-graph.ts";
import {
  type Importer,
  type ImportFormat,
  type ImportOptions,
  type ImportParts,
  type ImportResult,
  ImportTally,
  importInvalid,
} from "./import-job.ts";
import { isGraphLine } from "./server-memory.ts";
import { type TextLine, textLines } from "./text-lines.ts";

/**
 * @param chunks the file's bytes
 * @throws MemspoolError IMPORT_INVALID naming the line; INVALID_ARGUMENT; CAPTURE_FAILED, QUEUE_FULL
 *   and what else a capture throws. What came before is captured.
 */
export async function importRecords(
  parts: ImportParts,
  chunks: AsyncIterable<Uint8Array | string>,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const tally = new ImportTally();
  let importer: Importer | undefined;
  let format = options.format;
  for await (const line of textLines(chunks, 2 * ENVELOPE_BYTES_MAX)) {
    options.signal?.throwIfAborted();
    const value = parse(line);
    format ??= formatOf(value, line.number);
    importer ??= await startImporter(format, parts, options, tally);
    tally.lines++;
    if (value === undefined) await importer.refuse(line.number, line.fault ?? "is not JSON");
    else await importer.take(line.number, value.json);
    options.onProgress?.(tally);
  }
  await importer?.flush();
  if (format === undefined) throw importInvalid(1, "is missing: there is nothing in the file");
  return tally.result(format);
}

async function startImporter(
  format: ImportFormat,
  parts: ImportParts,
  options: ImportOptions,
  tally: ImportTally,
): Promise<Importer> {
  if (format === "server-memory") return await GraphImporter.start(parts, options, tally);
  if (options.project !== undefined || options.tags !== undefined) {
    throw new MemspoolError(
      "INVALID_ARGUMENT",
      "Records of an export keep their own project and tags. Leave --project and --tag out.",
    );
  }
  return new ExportImporter(parts, tally);
}

function parse(line: TextLine): { readonly json: unknown } | undefined {
  if (line.text === undefined) return undefined;
  try {
    return { json: JSON.parse(line.text) };
  } catch {
    return undefined; // the importer says what that means in its format
  }
}

function formatOf(value: { readonly json: unknown } | undefined, line: number): ImportFormat {
  const json = value?.json;
  if (typeof json === "object" && json !== null && "memspool_export" in json) return "memspool";
  if (isGraphLine(json)) return "server-memory";
  throw importInvalid(
    line,
    "is neither the first line of an export nor one of a server-memory file. If it is damaged, name " +
      "the format with --format",
  );
}
