/**
 * Reads the ledger (ledger.ts): the ids of all captures that were acknowledged, hour by hour.
 *
 * Guarantees: memory is bounded by one chunk, whatever a file holds. A line counts by its last 26
 * characters if they are an id; what stands before them, and every other line, was torn by a
 * process or a machine that died, and is counted. Reading again goes on behind the last whole line,
 * so that what was added meanwhile is seen, and nothing twice. Changes nothing on disk.
 */
import { join } from "node:path";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import { ledgerHour, type QueueLayout } from "./layout.ts";

const ULID_BYTES = 26;
const LINE_FEED = 10;
const CHUNK_BYTES = 1_048_576;

/** 1 for the characters that an id is made of. */
const IS_DIGIT = new Uint8Array(256);
for (const digit of "0123456789ABCDEFGHJKMNPQRSTVWXYZ") IS_DIGIT[digit.charCodeAt(0)] = 1;
const SEVEN = "7".charCodeAt(0);

/** Names of the ledger's files, oldest hour first. @throws the system error of the directory */
export function ledgerNames(fs: DurableFsSync, layout: QueueLayout): string[] {
  try {
    return fs
      .names(layout.dir)
      .filter((name) => ledgerHour(name) !== undefined)
      .sort();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // no queue yet
    throw error;
  }
}

/** One hour's file, and how far it has been read. */
export class LedgerReader {
  /** Whole lines so far. */
  lines = 0;
  /** Stretches that are no id so far; an unfinished last line is not among them. */
  torn = 0;
  /** Bytes behind the last line feed at the last reading. */
  unfinishedBytes = 0;
  readonly #fs: DurableFsSync;
  readonly #path: string;
  /** Behind the last line feed. */
  #offset = 0;

  constructor(fs: DurableFsSync, layout: QueueLayout, name: string) {
    this.#fs = fs;
    this.#path = join(layout.dir, name);
  }

  /**
   * Yields the size of each chunk that was worked through.
   * @param onUlid told each id, as 26 bytes of `bytes` from `at` on, which are overwritten later
   * @throws the system error of the file; one that is gone is read as empty
   */
  *read(onUlid: (bytes: Buffer, at: number) => void): Generator<number> {
    let fd: number;
    try {
      fd = this.#fs.openRead(this.#path);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return;
      throw error;
    }
    try {
      yield* this.#readChunks(fd, onUlid);
    } finally {
      this.#fs.close(fd);
    }
  }

  *#readChunks(fd: number, onUlid: (bytes: Buffer, at: number) => void): Generator<number> {
    // The end of the line that the last chunk did not finish stands at the buffer's start.
    const buffer = Buffer.allocUnsafe(ULID_BYTES + CHUNK_BYTES);
    let kept = 0;
    let isCut = false;
    let position = this.#offset;
    for (;;) {
      const read = this.#fs.readAt(fd, buffer.subarray(kept), position);
      if (read === 0) break;
      const chunk = buffer.subarray(0, kept + read);
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
        this.#line(chunk, start, end, isCut, onUlid);
        isCut = false;
        start = end + 1;
        this.#offset = position + (start - kept);
      }
      position += read;
      if (chunk.length - start > ULID_BYTES) {
        isCut = true;
        start = chunk.length - ULID_BYTES;
      }
      kept = chunk.length - start;
      buffer.copyWithin(0, start, chunk.length);
      yield read;
    }
    this.unfinishedBytes = position - this.#offset;
  }

  #line(
    chunk: Buffer,
    start: number,
    end: number,
    isCut: boolean,
    onUlid: (bytes: Buffer, at: number) => void,
  ): void {
    const at = end - ULID_BYTES;
    const isUlid = at >= start && isUlidAt(chunk, at);
    if (!isUlid || at > start || isCut) this.torn++;
    if (!isUlid) return;
    this.lines++;
    onUlid(chunk, at);
  }
}

function isUlidAt(bytes: Buffer, at: number): boolean {
  if ((bytes[at] as number) > SEVEN) return false;
  for (let n = at; n < at + ULID_BYTES; n++) {
    if (IS_DIGIT[bytes[n] as number] !== 1) return false;
  }
  return true;
}
