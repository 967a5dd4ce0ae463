/** What an import of transcripts is given, and what it says of itself at the end. */
import type { DurableFs } from "../../../platform/durable-fs.ts";
import type { DurableFsSync } from "../../../platform/durable-fs-sync.ts";
import type { CaptureInput, Receipt, ReceiptResult } from "../../memory.ts";
import type { Privacy } from "../../privacy/privacy.ts";
import type { RoomParts } from "../capture-all.ts";
import type { OnHeldUp } from "../patience.ts";
import type { KnownTurns } from "./known-turns.ts";
import { type Client, SKIP_RULES, type SkipRule } from "./line-verdict.ts";

/** Places that are named one by one. */
const NOTES_MAX = 100;

export type ProjectOf = (cwd: string | undefined) => string;

export interface TranscriptParts extends RoomParts {
  readonly fs: DurableFs;
  readonly fsSync: DurableFsSync;
  /** Where it is noted how far each transcript was read; made when there is something to note. */
  readonly statesDir: string;
  /** What must not be stored is taken out of the whole text, before it is split and has its key. */
  readonly privacy: Pick<Privacy, "apply">;
  /** The one way in, for records that are as they are to be stored. */
  readonly capture: (input: CaptureInput) => Promise<Receipt>;
  readonly receipt: (ulid: string) => Promise<ReceiptResult>;
  /** Largest text of a record in UTF-8 bytes. */
  readonly textBytesMax: number;
  /** Everything that is here already; asked once, when the first turn is met. */
  readonly knownTurns: () => Promise<KnownTurns>;
  /** The project that a hook would name for what was said in a directory; "" is none. */
  readonly projectOf: ProjectOf;
}

export interface TranscriptOptions {
  /** Only what was said from here on; milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  readonly sessionId?: string | undefined;
  /** Results of tools become records too. */
  readonly includeTools?: boolean | undefined;
  /** Counts, and changes nothing. */
  readonly dryRun?: boolean | undefined;
  /** Bytes of transcripts. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly onHeldUp?: OnHeldUp | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PlaceNote {
  readonly file: string;
  /** Absent for what is said of a whole file. */
  readonly line?: number;
  readonly reason: string;
}

export interface TranscriptsResult {
  readonly dry_run: boolean;
  readonly files: number;
  /** Lines that were read this time, blank ones not counted. */
  readonly lines: number;
  /** Records of turns that are durable now and were not here before; of a dry run, that would be. */
  readonly captured: number;
  readonly already_here: number;
  /** Lines of a kind that is not known; each is kept as it is. */
  readonly unknown_lines: number;
  /** Lines that are no JSON, no UTF-8 or too long; what can be kept of them is kept as it is. */
  readonly unreadable_lines: number;
  /** Records of unknown and unreadable lines that were not here before. */
  readonly kept_lines: number;
  /** Lines that are still being written. */
  readonly left_for_next: number;
  /** Lines that are no turn, by the rule that says so. */
  readonly skipped: Readonly<Record<SkipRule, number>>;
  /** Turns that a capture refused. */
  readonly refused: number;
  readonly failed_files: number;
  /** The first of what needs a look. */
  readonly notes: readonly PlaceNote[];
}

export interface TranscriptFile {
  /** Absolute. */
  readonly path: string;
  /** Told from its first lines unless known from where it lies. */
  readonly client: Client | undefined;
  readonly bytes: number;
}

export class TranscriptTally {
  files = 0;
  lines = 0;
  captured = 0;
  alreadyHere = 0;
  unknownLines = 0;
  unreadableLines = 0;
  keptLines = 0;
  leftForNext = 0;
  refused = 0;
  failedFiles = 0;
  readonly #skipped = Object.fromEntries(SKIP_RULES.map((rule) => [rule, 0])) as Record<
    SkipRule,
    number
  >;
  readonly #notes: PlaceNote[] = [];

  skip(rule: SkipRule): void {
    this.#skipped[rule]++;
  }

  note(note: PlaceNote): void {
    if (this.#notes.length < NOTES_MAX) this.#notes.push(note);
  }

  failFile(file: string, reason: string): void {
    this.failedFiles++;
    this.note({ file, reason });
  }

  result(isDryRun: boolean): TranscriptsResult {
    return {
      dry_run: isDryRun,
      files: this.files,
      lines: this.lines,
      captured: this.captured,
      already_here: this.alreadyHere,
      unknown_lines: this.unknownLines,
      unreadable_lines: this.unreadableLines,
      kept_lines: this.keptLines,
      left_for_next: this.leftForNext,
      skipped: { ...this.#skipped },
      refused: this.refused,
      failed_files: this.failedFiles,
      notes: [...this.#notes],
    };
  }
}
