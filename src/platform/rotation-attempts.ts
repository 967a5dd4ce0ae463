/**
 * Decides when a rotation is tried, tried again, and given up for a while.
 *
 * ```
 * ready ──failed, may pass──▶ waiting 0.1 s, then 0.2 s ──failed again──▶ cooling ──over──▶ ready
 *   │ └──failed, will not pass──────────────────────────────────────────▶ cooling
 *   └──done, or another process at it──▶ ready (the latter after a moment)
 * ```
 *
 * Guarantees: at most one try a line and no line waits: a further attempt is scheduled, never slept
 * for. Entering `cooling` raises the alert file and one notice; the first success, or the sight
 * that no rotation is due any more, clears both.
 */
import { MemspoolError } from "../errors.ts";
import type { Clock } from "./clock.ts";
import { errnoOf } from "./errno.ts";
import type { RotationAlert, RotationFailure } from "./rotation-alert.ts";
import { COOL_DOWN_MS, retryDelayMs } from "./rotation-policy.ts";

/** Runs once after the delay unless the returned function is called before. */
export type Schedule = (delayMs: number, run: () => void) => () => void;

export interface RotationAttemptsParts {
  /** One rotation; false if another process is at it. */
  readonly rotate: (lineBytes: number) => boolean;
  /** What it was doing when it failed. */
  readonly operation: () => string;
  /** False while something that a failure left halfway still waits for the next rotation. */
  readonly isComplete: () => boolean;
  readonly path: string;
  readonly alert: RotationAlert;
  readonly clock: Clock;
  readonly schedule: Schedule;
  readonly onFailed: (failure: RotationFailure) => void;
  readonly onRecovered: (awayMs: number) => void;
}

/** A rotation takes milliseconds; until another's is over, lines go into the current file. */
const BUSY_WAIT_MS = 20;

export class RotationAttempts {
  readonly #parts: RotationAttemptsParts;
  #attempts = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #failedAtMs: number | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(parts: RotationAttemptsParts) {
    this.#parts = parts;
  }

  /** A rotation is due: tries it, unless one waits or the last one failed a moment ago. */
  request(lineBytes: number): void {
    if (this.#cancelRetry || this.#parts.clock.monotonicMs() < this.#notBeforeMs) return;
    this.#try(lineBytes);
  }

  /** No rotation is due: somebody made room after we had failed to. */
  notDue(): void {
    if (this.#failedAtMs === undefined || this.#cancelRetry) return;
    try {
      if (this.#parts.isComplete()) this.#succeeded();
    } catch (error) {
      if (errnoOf(error) === undefined) throw error; // can not tell, so it is not over
    }
  }

  close(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  #try(lineBytes: number): void {
    let done: boolean;
    try {
      done = this.#parts.rotate(lineBytes);
    } catch (error) {
      this.#failed(error, lineBytes);
      return;
    }
    if (done) this.#succeeded();
    else this.#notBeforeMs = this.#parts.clock.monotonicMs() + BUSY_WAIT_MS;
  }

  #failed(cause: unknown, lineBytes: number): void {
    const error = nameOf(cause);
    this.#attempts++;
    const delayMs = retryDelayMs(error, this.#attempts);
    if (delayMs !== undefined) {
      this.#cancelRetry = this.#parts.schedule(delayMs, () => {
        this.#cancelRetry = undefined;
        this.#try(lineBytes);
      });
      return;
    }
    const { clock, alert, path, operation, onFailed } = this.#parts;
    const attempts = this.#attempts;
    this.#attempts = 0;
    this.#notBeforeMs = clock.monotonicMs() + COOL_DOWN_MS;
    this.#failedAtMs ??= clock.monotonicMs();
    const failure = { error, operation: operation(), attempts, retryInMs: COOL_DOWN_MS };
    alert.raise(failure, clock.nowMs(), path);
    onFailed(failure);
  }

  #succeeded(): void {
    const { clock, alert, onRecovered } = this.#parts;
    const failedAtMs = this.#failedAtMs;
    this.#failedAtMs = undefined;
    this.#attempts = 0;
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    // Also an alert that another process left, or one that has ended since.
    alert.clear();
    if (failedAtMs !== undefined) onRecovered(clock.monotonicMs() - failedAtMs);
  }
}

function nameOf(error: unknown): string {
  return errnoOf(error) ?? (error instanceof MemspoolError ? error.code : "unknown");
}
