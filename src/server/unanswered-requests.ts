/** The requests of one session that were taken and not yet answered: their number bounds memory. */
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { MESSAGE_BYTES_MAX } from "../record/limits.ts";
import type { RequestId } from "./request-id-scanner.ts";

export const UNANSWERED_COUNT_MAX = 256;
/** Of the requests' own lines; room for one of the largest beside another. */
export const UNANSWERED_BYTES_MAX = 2 * MESSAGE_BYTES_MAX;

export class UnansweredRequests {
  readonly #requests = new Map<RequestId, { method: string; bytes: number }>();
  #bytes = 0;
  #waiters: (() => void)[] = [];

  get count(): number {
    return this.#requests.size;
  }

  get tooMany(): boolean {
    return this.count >= UNANSWERED_COUNT_MAX || this.#bytes >= UNANSWERED_BYTES_MAX;
  }

  /** A message came in: a request counts from now on, a cancelled one no longer (it gets no answer). */
  taken(message: JSONRPCMessage, bytes: number): void {
    if (!("method" in message)) return;
    if ("id" in message) {
      this.#forget(message.id);
      this.#requests.set(message.id, { method: message.method, bytes });
      this.#bytes += bytes;
    } else if (message.method === "notifications/cancelled") {
      this.#forget(message.params?.requestId);
    }
  }

  /** An answer goes out; returns the request's method. */
  answered(id: unknown): string | undefined {
    return this.#forget(id)?.method;
  }

  /** Resolves at once when there is none. */
  whenNone(): Promise<void> {
    if (this.count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #forget(id: unknown): { method: string } | undefined {
    const request = this.#requests.get(id as RequestId);
    if (request === undefined) return undefined;
    this.#requests.delete(id as RequestId);
    this.#bytes -= request.bytes;
    if (this.count === 0) {
      for (const resolve of this.#waiters) resolve();
      this.#waiters = [];
    }
    return request;
  }
}
