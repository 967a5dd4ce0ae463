/** Captures that a client sends one after another, a few at a time, for as long as it is let. */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Acknowledgement, ServerProcess } from "./capturing-server.ts";

export interface StreamOptions {
  /** Texts begin with it, so that no two streams send the same one. */
  readonly name: string;
  readonly inFlight?: number;
  /** Between two captures of one lane. */
  readonly pauseMs?: number;
  /** What each capture has beyond its text, such as its priority. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Length that texts are filled up to, with dots. */
  readonly textLength?: number;
  /** Length of random text behind it, which no compression makes smaller than half. */
  readonly random?: number;
}

export interface Refusal {
  readonly surface: string;
  readonly message: string;
}

export class CaptureStream {
  readonly acknowledged: Acknowledgement[] = [];
  readonly refused: Refusal[] = [];
  /** From the call to its answer, of acknowledged captures. */
  readonly ackMs: number[] = [];
  /** Texts that were sent and not answered yet. */
  readonly unanswered = new Set<string>();
  sent = 0;
  readonly #server: ServerProcess;
  readonly #options: StreamOptions;
  readonly #running: Promise<unknown>;
  #stopping = false;

  private constructor(server: ServerProcess, options: StreamOptions) {
    this.#server = server;
    this.#options = options;
    const lanes = Array.from({ length: options.inFlight ?? 4 }, () => this.#lane());
    this.#running = Promise.all(lanes);
  }

  static start(server: ServerProcess, options: StreamOptions): CaptureStream {
    return new CaptureStream(server, options);
  }

  /** Lets what is under way be answered, as far as the server is there to do so. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #lane(): Promise<void> {
    const { name, pauseMs = 5, extra, textLength = 0, random = 0 } = this.#options;
    while (!this.#stopping) {
      const surface = `${name}/${++this.sent} ${randomText(random)}`
        .trimEnd()
        .padEnd(textLength, ".");
      const calledAt = performance.now();
      this.unanswered.add(surface);
      try {
        const args = { surface, ...extra };
        const { ulid } = await this.#server.call<{ ulid: string }>("memory_capture", args);
        this.acknowledged.push({ ulid, surface });
        this.ackMs.push(performance.now() - calledAt);
      } catch (error) {
        // A server that is gone has refused nothing: nobody knows what became of this one.
        if (isGone(error)) return;
        this.refused.push({ surface, message: (error as Error).message });
      } finally {
        this.unanswered.delete(surface);
      }
      await pause(pauseMs);
    }
  }
}

function isGone(error: unknown): boolean {
  return /Connection closed|Not connected/.test((error as Error).message);
}

/** Signs that are part of no word: the index has no work with them. */
const SIGNS = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~";

export function randomText(length: number): string {
  return Array.from(randomBytes(length), (byte) => SIGNS[byte % SIGNS.length]).join("");
}

/** The given share of values lies at or below it. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
