/**
 * Bulk work under pressure: it waits and goes on, where a single capture would be told to come again.
 *
 *   capture ─ BACKPRESSURE ─▶ make room ─▶ wait as long as was said ─▶ capture again …
 *                                                └─ in vain for PATIENCE_MS ─▶ BACKPRESSURE
 *
 * Guarantees: all who are refused meanwhile wait for the same pause. Cancelling ends a pause at once.
 * An import is never left hanging: what gets nothing in for PATIENCE_MS is told why. That is longer
 * than an hour, after which the done archive of the hour before may be trimmed.
 */
import { setTimeout as pause } from "node:timers/promises";
import { MemspoolError } from "../../errors.ts";

export const PATIENCE_MS = 2 * 3_600_000;
const PAUSE_MS_DEFAULT = 5_000;
/** Draining for room is worth a try at first and now and then. */
const PAUSES_A_DRAIN = 12;

/** Told once when it begins to wait, with the refusal's reason, and with nothing when it goes on. */
export type OnHeldUp = (reason: string | undefined) => void;

export interface PatienceParts {
  /** Brings pending records into the store and trims the archive. */
  readonly makeRoom: () => Promise<void>;
  readonly signal?: AbortSignal | undefined;
  readonly onHeldUp?: OnHeldUp | undefined;
  /** A seam. */
  readonly pause?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

export class Patience {
  readonly #parts: PatienceParts;
  #pausing: Promise<void> | undefined;
  #pauses = 0;
  #waitedMs = 0;

  constructor(parts: PatienceParts) {
    this.#parts = parts;
  }

  /** @throws what `act` throws; BACKPRESSURE only after long; the signal's reason */
  async run<T>(act: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const result = await act();
        this.#goOn();
        return result;
      } catch (error) {
        if (!isBackpressure(error)) throw error;
        if (this.#waitedMs >= PATIENCE_MS) throw error;
        await this.#wait(error);
      }
    }
  }

  #goOn(): void {
    if (this.#pauses === 0) return;
    this.#pauses = 0;
    this.#waitedMs = 0;
    this.#parts.onHeldUp?.(undefined);
  }

  /** Once for all that are refused at the same time. */
  #wait(refusal: MemspoolError): Promise<void> {
    this.#pausing ??= this.#waitOnce(refusal).finally(() => {
      this.#pausing = undefined;
    });
    return this.#pausing;
  }

  async #waitOnce(refusal: MemspoolError): Promise<void> {
    const { signal, makeRoom, onHeldUp } = this.#parts;
    signal?.throwIfAborted();
    if (this.#pauses === 0) onHeldUp?.(String(refusal.details.reason));
    if (this.#pauses++ % PAUSES_A_DRAIN === 0) await makeRoom().catch(refuseFinal);
    const said = refusal.details.retry_after_ms;
    const ms = typeof said === "number" ? said : PAUSE_MS_DEFAULT;
    this.#waitedMs += ms;
    await (this.#parts.pause ?? sleep)(ms, signal);
  }
}

function isBackpressure(error: unknown): error is MemspoolError {
  return error instanceof MemspoolError && error.code === "BACKPRESSURE";
}

/** A store that is away, or a lease that is held, makes no room now: it may later. */
function refuseFinal(error: unknown): void {
  if (!(error instanceof MemspoolError && error.retryable)) throw error;
}

async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await pause(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted(); // with the caller's reason instead of the timer's
    throw error;
  }
}
