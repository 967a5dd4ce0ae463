/**
 * Long work in pieces: between them the event loop serves others, an interruption is noticed, and
 * whoever watches hears how far it is.
 *
 * Guarantees: `worked` throws as soon as the signal is aborted; progress is told of one step at a time,
 * in the steps' order, at most some ten times a second, though steps may run side by side.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../platform/clock.ts";
import { VERIFY_STEPS, type VerifyProgress, type VerifyStep } from "./report.ts";

const PIECE_MS = 50;
const TELL_MS = 100;

export class Pace {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: (progress: VerifyProgress) => void;
  readonly #running = new Map<VerifyStep, VerifyProgress>();
  #pieceEndsMs = 0;
  #tellMs = 0;

  constructor(
    clock: Clock,
    signal: AbortSignal | undefined,
    onProgress: (progress: VerifyProgress) => void = () => {},
  ) {
    this.#clock = clock;
    this.#signal = signal;
    this.#onProgress = onProgress;
  }

  /** Call often. @throws what the signal was aborted with */
  async worked(step: VerifyStep, done: number, total: number): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#running.set(step, { step, done, total });
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#tellMs) this.#tell(nowMs);
    if (nowMs < this.#pieceEndsMs) return;
    await nextTurn();
    this.#pieceEndsMs = this.#clock.monotonicMs() + PIECE_MS;
  }

  /** The step is over; it is shown complete. */
  finished(step: VerifyStep): void {
    const last = this.#running.get(step);
    this.#running.delete(step);
    if (last !== undefined) this.#onProgress({ ...last, done: last.total });
    this.#tellMs = 0;
  }

  #tell(nowMs: number): void {
    this.#tellMs = nowMs + TELL_MS;
    const front = VERIFY_STEPS.find((step) => this.#running.has(step));
    const progress = front && this.#running.get(front);
    if (progress !== undefined) this.#onProgress(progress);
  }
}
