/**
 * Reads one transcript, from where it was left to where it ends now.
 *
 * Guarantees: no more than one line, one chunk and one batch of turns are in memory. How far it was
 * read is noted only when everything up to there is durable, so a process that dies has at worst to
 * read some of it again. A last line that is still being written is left for the next time.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { O_NOFOLLOW, O_NONBLOCK } from "../../../platform/durable-fs.ts";
import { errnoOf } from "../../../platform/errno.ts";
import { type TextLine, textLines } from "../text-lines.ts";
import { claudeCodeLine } from "./claude-code-line.ts";
import { type CodexMemory, codexLine } from "./codex-line.ts";
import type {
  TranscriptFile,
  TranscriptOptions,
  TranscriptParts,
  TranscriptTally,
} from "./import-job.ts";
import { type Client, fieldsOf, textOf, type Verdict } from "./line-verdict.ts";
import { HEAD_BYTES, tellClient } from "./tell-client.ts";
import { loadState, saveState, stateOf } from "./transcript-state.ts";
import type { TurnBatch } from "./turn-batch.ts";
import { TurnCounts } from "./turn-counts.ts";

/** Pictures stand in lines too; what is longer is counted and passed over. */
export const LINE_BYTES_MAX = 33_554_432;
/** Between two notes of how far it was read. */
const CHECKPOINT_BYTES = 16_777_216;
const CHECKPOINT_TURNS = 2_000;
const CODEX_SESSION = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface ReaderParts extends TranscriptParts {
  readonly options: TranscriptOptions;
  readonly tally: TranscriptTally;
  readonly batch: TurnBatch;
  /** Told how many bytes of this file are done. */
  readonly onBytes: (bytes: number) => void;
}

/** What is wrong with a file, in words for the notes. */
export class FileFault extends Error {}

/** @throws FileFault; what a capture throws */
export async function readTranscript(parts: ReaderParts, found: TranscriptFile): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(found.path, constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    throw fileFault(error);
  }
  try {
    if (!(await file.stat()).isFile()) throw new FileFault("is no file any more");
    await new Reader(parts, found, file).read();
  } finally {
    await file.close();
  }
}

class Reader {
  readonly #parts: ReaderParts;
  readonly #found: TranscriptFile;
  readonly #file: FileHandle;
  readonly #includeTools: boolean;
  /** A run that passes some turns over must not note that they were read. */
  readonly #notes: boolean;
  #codex: CodexMemory = {};
  #counts = new TurnCounts();
  #place = { number: 0, endBytes: 0 };
  #saved = { endBytes: 0, turns: 0 };
  #witness: string | undefined;

  constructor(parts: ReaderParts, found: TranscriptFile, file: FileHandle) {
    const { dryRun, sinceMs, sessionId, includeTools } = parts.options;
    this.#parts = parts;
    this.#found = found;
    this.#file = file;
    this.#includeTools = includeTools === true;
    this.#notes = dryRun !== true && sinceMs === undefined && sessionId === undefined;
  }

  async read(): Promise<void> {
    const client = (await this.#resume()) ?? this.#found.client ?? (await this.#tellClient());
    const { size } = await this.#file.stat();
    if (size <= this.#place.endBytes) return;
    const chunks = this.#file.createReadStream({
      start: this.#place.endBytes,
      end: size - 1,
      autoClose: false,
      highWaterMark: 262_144,
    });
    const lines = textLines(chunks, LINE_BYTES_MAX, this.#place);
    for (;;) {
      this.#parts.options.signal?.throwIfAborted();
      // Only reading fails as a file does; a capture's failure is no fault of the file.
      const next = await lines.next().catch((error: unknown) => {
        throw fileFault(error);
      });
      if (next.done === true) break;
      if (!(await this.#take(client, next.value))) break;
      await this.#checkpoint(client, false);
    }
    await this.#checkpoint(client, true);
  }

  /** @returns the client, if it is known how far the file was read */
  async #resume(): Promise<Client | undefined> {
    const { sinceMs, sessionId } = this.#parts.options;
    if (sinceMs !== undefined || sessionId !== undefined) return undefined;
    const state = await loadState(this.#parts, this.#found.path, this.#file, this.#includeTools);
    if (state === undefined) return undefined;
    this.#codex = { ...state.codex };
    this.#counts = new TurnCounts(state.counts);
    this.#place = { number: state.lines, endBytes: state.offset };
    this.#saved.endBytes = state.offset;
    this.#witness = state.witness;
    this.#parts.onBytes(state.offset);
    return state.client;
  }

  async #tellClient(): Promise<Client> {
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await this.#file.read(head, 0, HEAD_BYTES, 0);
    const client = tellClient(head.toString("utf8", 0, bytesRead));
    if (client !== undefined) return client;
    throw new FileFault("does not look like a transcript; name the client that wrote it");
  }

  /** @returns false if the line is left for the next time */
  async #take(client: Client, line: TextLine): Promise<boolean> {
    const { tally, batch } = this.#parts;
    const json = line.text === undefined ? undefined : parse(line.text);
    if (!line.isEnded && json === undefined) {
      tally.leftForNext++;
      return false;
    }
    tally.lines++;
    // A last line without its line feed: what comes behind it begins with that, as a blank line.
    this.#place = {
      number: line.isEnded ? line.number : line.number - 1,
      endBytes: line.endBytes,
    };
    this.#parts.onBytes(line.endBytes);
    const file = this.#found.path;
    if (json === undefined) {
      const reason = line.fault ?? "is not JSON";
      tally.unreadableLines++;
      tally.note({ file, line: line.number, reason });
      if (line.text !== undefined) await this.#keep(client, line.number, line.text, {}, reason);
      return true;
    }
    const verdict = this.#judge(client, json.value);
    if (verdict.kind === "skip") tally.skip(verdict.rule);
    if (verdict.kind === "unknown" || (verdict.kind === "turns" && verdict.isOddToo === true)) {
      tally.unknownLines++;
      await this.#keep(client, line.number, line.text ?? "", json.value, undefined);
    }
    if (verdict.kind !== "turns") return true;
    for (const turn of verdict.turns) {
      await batch.addTurn({ client, turn, file, line: line.number, counts: this.#counts });
    }
    return true;
  }

  #judge(client: Client, json: unknown): Verdict {
    const includeTools = this.#includeTools;
    const sessionId = this.#nameOfFile(client);
    return client === "codex"
      ? codexLine(json, { memory: this.#codex, sessionId, includeTools })
      : claudeCodeLine(json, { sessionId, includeTools });
  }

  async #keep(
    client: Client,
    line: number,
    text: string,
    json: unknown,
    fault: string | undefined,
  ): Promise<void> {
    const { sessionId, timestamp } = fieldsOf(json);
    await this.#parts.batch.addLine({
      client,
      text,
      file: this.#found.path,
      line,
      sessionId: textOf(sessionId) ?? this.#codex.sessionId ?? this.#nameOfFile(client),
      at: textOf(timestamp),
      fault,
    });
  }

  #nameOfFile(client: Client): string {
    const name = basename(this.#found.path, ".jsonl");
    return (client === "codex" ? CODEX_SESSION.exec(name)?.[0] : undefined) ?? name;
  }

  async #checkpoint(client: Client, isEnd: boolean): Promise<void> {
    const { batch } = this.#parts;
    const { endBytes, number } = this.#place;
    const isDue =
      endBytes - this.#saved.endBytes >= CHECKPOINT_BYTES ||
      batch.added - this.#saved.turns >= CHECKPOINT_TURNS;
    if (!isEnd && !isDue) return;
    await batch.flush();
    const isNew = endBytes > this.#saved.endBytes;
    this.#saved = { endBytes, turns: batch.added };
    if (!this.#notes || !isNew) return;
    this.#witness = batch.witness ?? this.#witness;
    const { path } = this.#found;
    const state = await stateOf(this.#file, {
      path,
      client,
      include_tools: this.#includeTools,
      offset: endBytes,
      lines: number,
      ...(this.#witness !== undefined && { witness: this.#witness }),
      codex: this.#codex,
      counts: this.#counts.entries(),
    });
    const errno = saveState(this.#parts, state);
    if (errno === undefined) return;
    this.#parts.tally.note({ file: path, reason: `its place could not be noted (${errno})` });
  }
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined; // the caller says what that means
  }
}

function fileFault(error: unknown): unknown {
  const errno = errnoOf(error);
  return errno === undefined ? error : new FileFault(`can not be read (${errno})`);
}
