/**
 * Counts what one file of the overflow audit log says, as its bytes stream by. Pure.
 *
 * Guarantees: constant memory, whatever the file holds; a line counts as spilled or dropped only if
 * its checksum proves it, every other line that is not empty as damaged, once.
 */
import { createHash } from "node:crypto";
import { auditLineFacts } from "./audit-line.ts";

/** Lines by what they say. */
export interface AuditTotals {
  readonly spilled: number;
  readonly dropped: number;
  readonly damaged: number;
}

/** Several times what a line needs; the rest of a longer one is not kept, it is damaged anyway. */
const LINE_BYTES_MAX = 4_096;
const LINE_FEED = 10;
const NOTHING = Buffer.alloc(0);

/** Cuts a stream of bytes into lines. */
export class LineSplitter {
  readonly #onLine: (text: string, number: number) => void;
  #rest: Buffer = NOTHING;
  #number = 0;

  /** @param onLine told each line that is not empty, with its number from 1; one char a byte */
  constructor(onLine: (text: string, number: number) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#line(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#rest = this.#joined(chunk.subarray(start));
  }

  /** What stands behind the last line feed is a line, too. */
  end(): void {
    if (this.#rest.length > 0) this.#line(NOTHING);
  }

  #line(last: Buffer): void {
    const text = (this.#rest.length > 0 ? this.#joined(last) : last).toString("latin1");
    this.#rest = NOTHING;
    this.#number++;
    if (text !== "") this.#onLine(text, this.#number);
  }

  /** A copy: the chunk's memory is used again. */
  #joined(part: Buffer): Buffer {
    const room = LINE_BYTES_MAX - this.#rest.length;
    return Buffer.concat([this.#rest, part.subarray(0, Math.max(room, 0))]);
  }
}

export class AuditCount implements AuditTotals {
  spilled = 0;
  dropped = 0;
  damaged = 0;
  firstTs: string | null = null;
  lastTs: string | null = null;

  /** Returns whether it is a whole line. */
  add(text: string): boolean {
    const facts = auditLineFacts(text);
    if (!facts) {
      this.damaged++;
      return false;
    }
    this[facts.disposition]++;
    this.firstTs ??= facts.ts;
    this.lastTs = facts.ts;
    return true;
  }
}

/** SHA-256 of a stream as a whole and of some of its beginnings, in one pass. */
export class PrefixHashes {
  readonly #hash = createHash("sha256");
  readonly #wanted: number[];
  readonly #found = new Map<number, string>();
  #bytes = 0;

  /** @param lengths of the beginnings, in bytes */
  constructor(lengths: readonly number[]) {
    this.#wanted = [...new Set(lengths)].sort((a, b) => a - b);
  }

  /** So far. */
  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    for (let next = this.#wanted[0]; next !== undefined; next = this.#wanted[0]) {
      const end = next - this.#bytes;
      if (end > chunk.length) break;
      this.#hash.update(chunk.subarray(at, end));
      this.#found.set(next, this.digest());
      this.#wanted.shift();
      at = end;
    }
    this.#hash.update(chunk.subarray(at));
    this.#bytes += chunk.length;
  }

  /** Of all bytes so far. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Whether the stream begins with so many bytes of this hash. */
  beginsWith({ bytes, sha256 }: { readonly bytes: number; readonly sha256: string }): boolean {
    return this.#found.get(bytes) === sha256;
  }
}
