/**
 * Finds the `id` of a JSON-RPC message that is too large to be held, by reading it once, byte by
 * byte, in pieces that are not kept.
 *
 * The id is what lets a client connect the refusal with its call; the MCP SDK writes it at the very
 * end of a message, behind the arguments. The scanner stops at once on what is no JSON object, so
 * garbage is refused without waiting for its end.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OBJECT_START = 0x7b;
/** Longer names and values at the top level are not an id that a client would use. */
const TOKEN_BYTES_MAX = 256;

export type RequestId = string | number;

export class RequestIdScanner {
  #id: RequestId | null = null;
  #done = false;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Bytes of the top-level token being read. */
  #token: number[] = [];
  /** The member whose value is being read; undefined while its name is. */
  #name: string | undefined;

  /** Nothing more can be learnt from further pieces. */
  get done(): boolean {
    return this.#done;
  }

  /** The id, or null as long as none was found. */
  get id(): RequestId | null {
    return this.#id;
  }

  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length && !this.#done; at++) this.#read(piece[at] as number);
  }

  #read(byte: number): void {
    if (this.#inString) this.#readInString(byte);
    else if (this.#depth === 0) this.#readStart(byte);
    else if (byte === QUOTE) {
      this.#inString = true;
      this.#keep(byte);
    } else if (OPEN.has(byte)) this.#depth += 1;
    else if (CLOSE.has(byte)) this.#readClose();
    else if (this.#depth === 1) this.#readMember(byte);
  }

  #readStart(byte: number): void {
    if (byte === OBJECT_START) this.#depth = 1;
    else if (!SPACE.has(byte)) this.#done = true;
  }

  #readInString(byte: number): void {
    this.#keep(byte);
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }

  #readMember(byte: number): void {
    if (byte === COLON) {
      this.#name = String(this.#takeToken());
    } else if (byte === COMMA) {
      this.#endMember();
    } else if (!SPACE.has(byte)) {
      this.#keep(byte);
    }
  }

  #readClose(): void {
    if (this.#depth === 1) {
      this.#endMember();
      this.#done = true;
    }
    this.#depth -= 1;
  }

  #endMember(): void {
    const value = this.#takeToken();
    const isId = typeof value === "string" || Number.isSafeInteger(value);
    if (this.#name === "id" && isId) {
      this.#id = value as RequestId;
      this.#done = true;
    }
    this.#name = undefined;
  }

  #keep(byte: number): void {
    if (this.#depth === 1 && this.#token.length <= TOKEN_BYTES_MAX) this.#token.push(byte);
  }

  #takeToken(): unknown {
    const bytes = Buffer.from(this.#token);
    this.#token = [];
    if (bytes.length > TOKEN_BYTES_MAX) return undefined;
    try {
      return JSON.parse(bytes.toString("utf8"));
    } catch {
      // A SyntaxError: not JSON, or a container, whose inside is not kept. No id either way.
      return undefined;
    }
  }
}
