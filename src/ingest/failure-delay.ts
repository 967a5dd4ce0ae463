/**
 * The ingester's wait after a failure, longer each time, until a pass has gone through.
 *
 * Guarantees: each wait is told; it ends by itself or when somebody asks; no timer is left behind.
 */
import { reportError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import { errnoOf } from "../platform/errno.ts";
import type { IngestReport } from "./ingest-report.ts";
import { retryDelayMs } from "./retry-policy.ts";

export interface FailureDelayParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly random: () => number;
}

export class FailureDelay {
  readonly #parts: FailureDelayParts;
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #current: IngestReport["delayed"] = null;

  constructor(parts: FailureDelayParts, onOver: () => void) {
    this.#parts = parts;
    this.#onOver = onOver;
  }

  /** null while nothing is waited for. */
  get current(): IngestReport["delayed"] {
    return this.#current;
  }

  /** @param isStopping then nobody waits for its end */
  begin(error: unknown, isStopping: boolean): void {
    const { clock, events, random } = this.#parts;
    const errno = errnoOf(error);
    this.#failures++;
    const waitMs = retryDelayMs(this.#failures, random());
    const code = errno === undefined ? reportError(error).code : "DATA_DIR_UNUSABLE";
    this.#current = { code, untilMs: clock.nowMs() + waitMs, failures: this.#failures };
    events.emit("ingest_delayed", {
      code,
      errno: errno ?? "",
      retry_in_ms: waitMs,
      failures: this.#failures,
    });
    if (!isStopping) this.#timer = setTimeout(this.#onOver, waitMs);
  }

  /** Cut short. Idempotent. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#current = null;
  }

  /** The next failure is a first one. */
  worked(): void {
    this.#failures = 0;
  }
}
