/**
 * The ingester's wait after a failure, longer each time, until a pass has gone through.
 *
 * Guarantees: each wait is told; it ends by itself or when somebody asks; no timer is left behind. What
 * is said of failures stays until something got through, so that a long try does not look like health.
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

  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  /** From a failure until something got through, also while it is tried again. */
  get current(): IngestReport["delayed"] {
    return this.#current;
  }

  /** @param isStopping then nobody waits for its end */
  begin(error: unknown, isStopping: boolean): void {
    const { clock, events, random } = this.#parts;
    const errno = errnoOf(error);
    this.#failures++;
    const waitMs = retryDelayMs(this.#failures, random());
    const report = reportError(error);
    const code = errno === undefined ? report.code : "DATA_DIR_UNUSABLE";
    const nowMs = clock.nowMs();
    this.#current = {
      code,
      reason: errno ?? String(report.details.reason ?? ""),
      sinceMs: this.#current?.sinceMs ?? nowMs,
      untilMs: nowMs + waitMs,
      failures: this.#failures,
    };
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
  }

  /** Nobody tries any more. */
  stop(): void {
    this.end();
    this.gotThrough();
  }

  /** A batch was committed and settled. */
  gotThrough(): void {
    this.#current = null;
  }

  /** A whole pass met no failure: the next one is a first one. */
  worked(): void {
    this.#failures = 0;
    this.gotThrough();
  }
}
