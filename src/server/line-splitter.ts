/**
 * Bytes in, lines out, within a bound.
 *
 * Guarantees: each byte is copied at most a fixed number of times, however small the chunks (a
 * buffer that doubles, not a concatenation a chunk); no line is held beyond `bytesMax`. Of a line
 * that is longer, the bytes so far and then every further piece go to `onTooLong` and are not kept.
 */

export interface LineHandlers {
  /** A whole line without its end (LF or CRLF). Valid only during the call. */
  readonly onLine: (line: Buffer) => void;
  /** A piece of a line that is over the limit, in order; `ended` with the last one. */
  readonly onTooLong: (piece: Buffer, ended: boolean) => void;
}

const LF = 0x0a;
const CR = 0x0d;
const BUFFER_BYTES_MIN = 4_096;
/** A buffer that grew beyond this for one long line is given back after it. */
const BUFFER_BYTES_KEPT = 1_048_576;

export class LineSplitter {
  readonly #bytesMax: number;
  readonly #handlers: LineHandlers;
  /** The line's bytes so far, when it began in an earlier chunk. */
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  #tooLong = false;

  constructor(bytesMax: number, handlers: LineHandlers) {
    this.#bytesMax = bytesMax;
    this.#handlers = handlers;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      this.#endLine(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  /** The stream ended; what came after the last line end is a line too. */
  end(): void {
    if (this.#heldBytes > 0 || this.#tooLong) this.#endLine(Buffer.alloc(0));
  }

  #endLine(tail: Buffer): void {
    if (!this.#tooLong && this.#heldBytes === 0 && tail.length <= this.#bytesMax) {
      this.#handlers.onLine(withoutCr(tail));
      return;
    }
    this.#hold(tail);
    const { onLine, onTooLong } = this.#handlers;
    if (this.#tooLong) onTooLong(Buffer.alloc(0), true);
    else onLine(withoutCr(this.#held.subarray(0, this.#heldBytes)));
    this.#tooLong = false;
    this.#letGo();
  }

  #hold(piece: Buffer): void {
    if (this.#tooLong) {
      this.#handlers.onTooLong(piece, false);
      return;
    }
    const bytes = this.#heldBytes + piece.length;
    if (bytes > this.#bytesMax) {
      this.#tooLong = true;
      this.#handlers.onTooLong(this.#held.subarray(0, this.#heldBytes), false);
      this.#handlers.onTooLong(piece, false);
      this.#letGo();
      return;
    }
    if (bytes > this.#held.length) this.#grow(bytes);
    piece.copy(this.#held, this.#heldBytes);
    this.#heldBytes = bytes;
  }

  #grow(bytes: number): void {
    const size = Math.max(BUFFER_BYTES_MIN, 2 * this.#held.length, bytes);
    const grown = Buffer.allocUnsafeSlow(Math.min(size, this.#bytesMax));
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }

  #letGo(): void {
    this.#heldBytes = 0;
    if (this.#held.length > BUFFER_BYTES_KEPT) this.#held = Buffer.alloc(0);
  }
}

function withoutCr(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line;
}
