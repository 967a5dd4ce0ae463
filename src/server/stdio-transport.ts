/**
 * The SDK's `Transport` over two byte streams: one JSON-RPC message a line, as the MCP
 * specification lays down for stdio
 * (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio).
 *
 * Guarantees:
 * - Every line is either taken or answered with an error: no JSON, no UTF-8, no message, too large.
 * - Memory stays flat whatever comes in: a line is bounded, and reading pauses while too many
 *   requests are unanswered, or too many bytes of answers wait for a client that does not read.
 * - A stdout that is closed or fails ends the session; it never throws.
 *
 * Not guaranteed: while answers wait for a client that does not read, notifications and refusals
 * without an id are left out, so that a flood of garbage can not block both sides.
 */
import type { Readable, Writable } from "node:stream";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import { MESSAGE_BYTES_MAX } from "../record/limits.ts";
import { decodeMessage, type Refusal, refuseTooLarge } from "./decode-message.ts";
import { LineSplitter } from "./line-splitter.ts";
import { RefusalEvents } from "./refusal-events.ts";
import { RequestIdScanner } from "./request-id-scanner.ts";
import { UnansweredRequests } from "./unanswered-requests.ts";

/** Bytes of answers that may wait for the client before reading pauses. */
export const OUTPUT_BYTES_MAX = 1_048_576;
/** From here on what nobody waits for is left out; well below, so that it alone never pauses. */
export const OPTIONAL_OUTPUT_BYTES_MAX = 262_144;
/** How far behind the limit an id is searched before a message is refused without one. */
const ID_SEARCH_BYTES_MAX = 4 * MESSAGE_BYTES_MAX;

export type EndReason = "stdin_end" | "stdin_error" | "stdout_closed";

export interface StdioTransportOptions {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly events: Events;
  readonly clock: Clock;
  /** The session can not go on. May be called more than once. */
  readonly onEnd: (reason: EndReason) => void;
  /** An answer was handed to the operating system. */
  readonly onAnswered?: (method: string) => void;
  readonly messageBytesMax?: number;
}

export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: <T extends JSONRPCMessage>(message: T) => void;

  readonly #options: StdioTransportOptions;
  readonly #messageBytesMax: number;
  readonly #splitter: LineSplitter;
  readonly #refusals: RefusalEvents;
  readonly #unanswered = new UnansweredRequests();
  /** Of the line that is over the limit, until it is answered. */
  #scanner: RequestIdScanner | undefined;
  #scannedBytes = 0;
  #reading = false;
  #outputGone = false;
  #closed = false;

  constructor(options: StdioTransportOptions) {
    this.#options = options;
    this.#messageBytesMax = options.messageBytesMax ?? MESSAGE_BYTES_MAX;
    this.#refusals = new RefusalEvents(options.events, options.clock);
    this.#splitter = new LineSplitter(this.#messageBytesMax, {
      onLine: (line) => this.#takeLine(line),
      onTooLong: (piece, ended) => this.#takeTooLong(piece, ended),
    });
  }

  async start(): Promise<void> {
    const { stdin, stdout } = this.#options;
    this.#reading = true;
    // Stays for good: a late EPIPE without a listener would end the process.
    stdout.on("error", () => this.#loseOutput());
    stdout.on("close", () => this.#loseOutput());
    stdout.on("drain", () => this.#pace());
    stdin.on("error", () => this.#endOfInput("stdin_error"));
    stdin.on("end", () => this.#endOfInput("stdin_end"));
    stdin.on("close", () => this.#endOfInput("stdin_end"));
    stdin.on("data", this.#onData);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const isAnswer = "result" in message || "error" in message;
    if (!isAnswer && this.#waitingBytes > OPTIONAL_OUTPUT_BYTES_MAX) return;
    const method = isAnswer ? this.#unanswered.answered(message.id) : undefined;
    await this.#write(JSON.stringify(message));
    if (method !== undefined && !this.#outputGone) this.#options.onAnswered?.(method);
    this.#pace();
  }

  /** Takes no further message; answers still go out. */
  stopReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#options.stdin.off("data", this.#onData);
    this.#options.stdin.pause();
    this.#refusals.flush();
  }

  /** Resolves when every request that was taken is answered or cancelled. */
  whenIdle(): Promise<void> {
    return this.#unanswered.whenNone();
  }

  /** Resolves when every answer was handed to the operating system, or nobody reads any more. */
  async flush(): Promise<void> {
    if (!this.#outputGone && this.#waitingBytes > 0) await this.#write("");
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.stopReading();
    this.onclose?.();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#splitter.push(chunk);
    this.#pace();
  };

  #takeLine(line: Buffer): void {
    if (line.length === 0) return;
    const decoded = decodeMessage(line);
    if (decoded.kind === "refusal") {
      this.#refuse(decoded);
      return;
    }
    this.#unanswered.taken(decoded.message, line.length);
    this.onmessage?.(decoded.message);
  }

  #takeTooLong(piece: Buffer, ended: boolean): void {
    if (this.#scanner === undefined && this.#scannedBytes === 0) {
      this.#scanner = new RequestIdScanner();
    }
    this.#scannedBytes += piece.length;
    const scanner = this.#scanner;
    if (scanner !== undefined) {
      scanner.push(piece);
      const isOver = this.#scannedBytes > this.#messageBytesMax;
      const isLost = this.#scannedBytes > this.#messageBytesMax + ID_SEARCH_BYTES_MAX;
      if (ended || isLost || (isOver && scanner.done)) {
        this.#scanner = undefined;
        this.#refuse(refuseTooLarge(this.#messageBytesMax, scanner.id));
      }
    }
    if (ended) this.#scannedBytes = 0;
  }

  #refuse({ code, reason, id, message }: Refusal): void {
    this.#refusals.refused(code, reason);
    if (id === null && this.#waitingBytes > OPTIONAL_OUTPUT_BYTES_MAX) return;
    void this.#write(JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } }));
  }

  #write(line: string): Promise<void> {
    if (this.#outputGone) return Promise.resolve();
    // A failed write is told by the stream's "error" too, so the callback's own is not needed.
    return new Promise((resolve) => {
      this.#options.stdout.write(line === "" ? "" : `${line}\n`, () => resolve());
    });
  }

  get #waitingBytes(): number {
    return this.#options.stdout.writableLength;
  }

  /** Pauses or resumes reading, by what is unanswered and what waits to be read by the client. */
  #pace(): void {
    if (!this.#reading) return;
    const { stdin } = this.#options;
    if (this.#unanswered.tooMany || this.#waitingBytes > OUTPUT_BYTES_MAX) stdin.pause();
    else if (stdin.isPaused()) stdin.resume();
  }

  #endOfInput(reason: EndReason): void {
    if (this.#reading) this.#splitter.end();
    this.#options.onEnd(reason);
  }

  #loseOutput(): void {
    this.#outputGone = true;
    this.#options.onEnd("stdout_closed");
  }
}
