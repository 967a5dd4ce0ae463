/** What the importers of all formats share: what they are given, what they count, how a line fails. */
import { MemspoolError } from "../../errors.ts";
import type { CaptureQueue } from "../../queue/capture-queue.ts";
import type { RoomParts } from "./capture-all.ts";
import type { KnownParts } from "./import-known.ts";
import type { OnHeldUp } from "./patience.ts";

/** Lines that are named one by one. */
const NOTES_MAX = 100;

export type ImportFormat = "memspool" | "server-memory";

export interface ImportParts extends KnownParts, RoomParts {
  readonly queue: Pick<CaptureQueue, "append" | "adopt">;
  /** The current project; "" is none. */
  readonly project: string;
  /** Largest text of a record in UTF-8 bytes. */
  readonly textBytesMax: number;
  /** Idempotency keys of the current project's records from a source. */
  readonly knownKeys: (source: string, project: string) => Promise<Set<string>>;
}

export interface ImportOptions {
  /** Told from the first line unless given. */
  readonly format?: ImportFormat | undefined;
  /** For the official server's records only: an export's keep what they have. */
  readonly project?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Stops at the first line that can not be taken whole. */
  readonly strict?: boolean | undefined;
  readonly onProgress?: ((progress: { lines: number; captured: number }) => void) | undefined;
  readonly onHeldUp?: OnHeldUp | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LineNote {
  readonly line: number;
  readonly reason: string;
}

export interface ImportResult {
  readonly format: ImportFormat;
  /** Lines that were read, blank ones not counted. */
  readonly lines: number;
  /** Records that are durable now and were not here before. */
  readonly captured: number;
  readonly already_here: number;
  /** Records that were forgotten here and are not brought back. */
  readonly forgotten: number;
  /** Records whose id is here with another text; the first of them. */
  readonly conflicts: readonly LineNote[];
  readonly conflict_count: number;
  /** What could not become a record; the first of them. */
  readonly skipped: readonly LineNote[];
  readonly skipped_count: number;
}

/** What an importer of one format does with its lines. */
export interface Importer {
  take(number: number, value: unknown): Promise<void>;
  /** A line that is no JSON text. */
  refuse(number: number, reason: string): Promise<void>;
  /** Everything that was taken is durable when this resolves. */
  flush(): Promise<void>;
}

/** What came of the lines so far. */
export class ImportTally {
  lines = 0;
  captured = 0;
  alreadyHere = 0;
  forgotten = 0;
  readonly #conflicts: LineNote[] = [];
  readonly #skipped: LineNote[] = [];
  #conflictCount = 0;
  #skippedCount = 0;

  conflict(line: number, reason: string): void {
    this.#conflictCount++;
    if (this.#conflicts.length < NOTES_MAX) this.#conflicts.push({ line, reason });
  }

  skip(line: number, reason: string): void {
    this.#skippedCount++;
    if (this.#skipped.length < NOTES_MAX) this.#skipped.push({ line, reason });
  }

  result(format: ImportFormat): ImportResult {
    return {
      format,
      lines: this.lines,
      captured: this.captured,
      already_here: this.alreadyHere,
      forgotten: this.forgotten,
      conflicts: this.#conflicts.toSorted((one, other) => one.line - other.line),
      conflict_count: this.#conflictCount,
      skipped: this.#skipped.toSorted((one, other) => one.line - other.line),
      skipped_count: this.#skippedCount,
    };
  }
}

export function importInvalid(line: number, what: string, cause?: unknown): MemspoolError {
  return new MemspoolError(
    "IMPORT_INVALID",
    `Line ${line} ${what}. What came before it is captured; correct the file and import it again, ` +
      "which stores nothing twice.",
    { details: { line }, ...(cause === undefined ? {} : { cause }) },
  );
}
