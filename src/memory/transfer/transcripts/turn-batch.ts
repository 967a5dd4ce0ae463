/**
 * Takes turns and kept lines, leaves out what is here already, and captures the rest, many at once.
 *
 * Guarantees: what is counted as captured is durable; a batch is bounded in records and characters; a
 * full queue is given the chance to be drained (capture-all). A dry run counts the same and captures
 * nothing.
 */
import { MemspoolError } from "../../../errors.ts";
import { type MemoryRecord, timeMs } from "../../../record/memory-record.ts";
import { CaptureAll } from "../capture-all.ts";
import type { TranscriptOptions, TranscriptParts, TranscriptTally } from "./import-job.ts";
import type { KnownTurns } from "./known-turns.ts";
import type { Client, Turn } from "./line-verdict.ts";
import type { TurnCounts } from "./turn-counts.ts";
import {
  type KeptLine,
  keptLineMetadata,
  keptLineRecords,
  turnMetadata,
  turnRecords,
} from "./turn-record.ts";

const BATCH_COUNT_MAX = 128;
const BATCH_CHARS_MAX = 4 * 1_048_576;

export interface PlacedTurn {
  readonly client: Client;
  readonly turn: Turn;
  /** Absolute path of the transcript, and the line in it. */
  readonly file: string;
  readonly line: number;
  readonly counts: TurnCounts;
}

interface Waiting {
  readonly record: MemoryRecord;
  readonly isTurn: boolean;
  readonly file: string;
  readonly line: number;
}

export class TurnBatch {
  /** Records that were added so far. */
  added = 0;
  readonly #parts: TranscriptParts;
  readonly #options: TranscriptOptions;
  readonly #tally: TranscriptTally;
  readonly #captures: CaptureAll;
  readonly #projects = new Map<string | undefined, string>();
  #known: KnownTurns | undefined;
  #lastUlid: string | undefined;
  #waiting: Waiting[] = [];
  #chars = 0;

  constructor(parts: TranscriptParts, options: TranscriptOptions, tally: TranscriptTally) {
    this.#parts = parts;
    this.#options = options;
    this.#tally = tally;
    this.#captures = new CaptureAll(parts);
  }

  /**
   * A record that is here for sure if all others are: the last one that was captured, or the newest
   * there was before.
   */
  get witness(): string | undefined {
    return this.#lastUlid ?? this.#known?.newestUlid;
  }

  /** @throws what a capture throws; PRIVACY_FAILED */
  async addTurn(placed: PlacedTurn): Promise<void> {
    const { client, turn, file, line, counts } = placed;
    const known = await this.#knownTurns();
    if (turn.uuid !== undefined && known.isFromElsewhere(turn.uuid, turn.sessionId)) {
      this.#tally.skip("copied");
      return;
    }
    // The key stands for the whole text as it is stored, as in a hook's record.
    const { record: clean } = await this.#parts.privacy.apply({
      surface: turn.text,
      metadata: turnMetadata(turn),
    });
    const { surface, metadata } = clean;
    // Counted also if it is passed over: how often it was said does not depend on what is asked for.
    const { nth, isToldTwice } = counts.next(turn, surface);
    const rule = isToldTwice ? "told-twice" : this.#outOfScope(turn);
    if (rule !== undefined) {
      this.#tally.skip(rule);
      return;
    }
    const project = this.#projectOf(turn.cwd);
    const stored = { client, turn, surface, metadata, nth, project };
    for (const record of turnRecords(stored, this.#parts.textBytesMax)) {
      await this.#add({ record, isTurn: true, file, line }, turn.uuid);
    }
  }

  /** @throws what a capture throws; PRIVACY_FAILED */
  async addLine(kept: KeptLine): Promise<void> {
    const { file, line } = kept;
    const { privacy, textBytesMax } = this.#parts;
    const { record: clean } = await privacy.apply({
      surface: kept.text,
      metadata: keptLineMetadata(kept),
    });
    for (const record of keptLineRecords(kept, clean.surface, clean.metadata, textBytesMax)) {
      await this.#add({ record, isTurn: false, file, line }, undefined);
    }
  }

  /** Everything that was added is durable when this resolves. */
  async flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#chars = 0;
    if (this.#options.dryRun === true) for (const one of waiting) this.#count(one);
    else await this.#captures.run(waiting, (one) => this.#capture(one));
  }

  async #add(waiting: Waiting, uuid: string | undefined): Promise<void> {
    const { record, isTurn } = waiting;
    const key = record.idempotency_key as string;
    const known = await this.#knownTurns();
    if (known.has(key)) {
      if (isTurn) this.#tally.alreadyHere++;
      return;
    }
    known.add(key, uuid, record.session_id);
    this.#waiting.push(waiting);
    this.#chars += record.surface.length;
    this.added++;
    if (this.#waiting.length >= BATCH_COUNT_MAX || this.#chars >= BATCH_CHARS_MAX) {
      await this.flush();
    }
  }

  async #capture(waiting: Waiting): Promise<void> {
    try {
      const { ulid } = await this.#parts.capture(waiting.record);
      this.#lastUlid = ulid;
      this.#count(waiting);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const { file, line } = waiting;
      this.#tally.refused++;
      this.#tally.note({ file, line, reason: error.code });
    }
  }

  #count({ isTurn }: Waiting): void {
    if (isTurn) this.#tally.captured++;
    else this.#tally.keptLines++;
  }

  #outOfScope({ sessionId, at }: Turn): "other-session" | "before-since" | undefined {
    const { sessionId: wanted, sinceMs } = this.#options;
    if (wanted !== undefined && wanted !== sessionId) return "other-session";
    if (sinceMs === undefined) return undefined;
    // What has no time is not known to be too old.
    return timeMs(at ?? "") < sinceMs ? "before-since" : undefined;
  }

  async #knownTurns(): Promise<KnownTurns> {
    this.#known ??= await this.#parts.knownTurns();
    return this.#known;
  }

  /** Looked up once: a session stays in few directories. */
  #projectOf(cwd: string | undefined): string {
    const known = this.#projects.get(cwd);
    if (known !== undefined) return known;
    const project = this.#parts.projectOf(cwd);
    this.#projects.set(cwd, project);
    return project;
  }
}

/** The record can not be kept as it is; others can. */
function isRefusal(error: unknown): error is MemspoolError {
  if (!(error instanceof MemspoolError)) return false;
  return error.code === "RECORD_INVALID" || error.code === "RECORD_TOO_LARGE";
}
