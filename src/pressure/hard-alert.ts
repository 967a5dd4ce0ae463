/**
 * Tells a person that the hard limit of the disk quota lasts.
 *
 *   quiet ── hard for HARD_MS ──▶ told (event, file) ── no longer hard ──▶ quiet (file gone)
 *
 * Guarantees: one event for each time that hard lasts so long. The file goes as soon as hard is over,
 * and one that a dead process left goes as soon as this process knows that it is not hard. It is
 * written anew every minute while hard lasts, for another server may have removed it, or the disk may
 * have refused it; the event is not held up by that.
 */
import { join } from "node:path";
import type { Events } from "../events/catalogue.ts";
import { AlertFile } from "../platform/alert-file.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import type { SpoolFacts } from "./pressure-facts.ts";

export const HARD_ALERT_NAME = "ALERT_BACKPRESSURE_HARD.txt";
/** How long hard must last without a break. */
export const HARD_MS = 300_000;
const WRITE_AGAIN_MS = 60_000;

export interface HardAlertParts {
  readonly fs: DurableFsSync;
  readonly alertsDir: string;
  readonly clock: Clock;
  readonly events: Events;
}

export class HardAlert {
  readonly #parts: HardAlertParts;
  readonly #file: AlertFile;
  /** Monotonic; undefined while not hard. */
  #hardSinceMs: number | undefined;
  #told = false;
  #written = false;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  /** Whether a file of an earlier process may be there. */
  #mayBeStale = true;

  constructor(parts: HardAlertParts) {
    this.#parts = parts;
    this.#file = new AlertFile(parts.fs, join(parts.alertsDir, HARD_ALERT_NAME));
  }

  /** @param spool with a usage: before the first look nothing is known */
  update(spool: Pick<SpoolFacts, "state" | "reason">): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (spool.state !== "hard") {
      this.#over();
      return;
    }
    this.#hardSinceMs ??= nowMs;
    const hardMs = nowMs - this.#hardSinceMs;
    if (hardMs < HARD_MS) return;
    if (!this.#told) {
      this.#told = true;
      this.#parts.events.emit("backpressure_critical", { hard_ms: Math.round(hardMs) });
    }
    if (nowMs - this.#triedAtMs < WRITE_AGAIN_MS) return;
    this.#triedAtMs = nowMs;
    const stands = this.#file.raise(this.#text(spool.reason, hardMs));
    if (stands && !this.#written) {
      this.#written = true;
      this.#parts.events.emit("alert_raised", { alert: HARD_ALERT_NAME });
    }
  }

  #over(): void {
    // Another server that was hard at the same time may have written it and be gone.
    if (this.#mayBeStale || this.#hardSinceMs !== undefined) {
      if (this.#file.clear()) this.#parts.events.emit("alert_cleared", { alert: HARD_ALERT_NAME });
    }
    this.#hardSinceMs = undefined;
    this.#told = false;
    this.#written = false;
    this.#triedAtMs = Number.NEGATIVE_INFINITY;
    this.#mayBeStale = false;
  }

  #text(reason: string, hardMs: number): string[] {
    const nowMs = this.#parts.clock.nowMs();
    return [
      "memspool is at the hard limit of its disk quota: captures wait or are refused.",
      "",
      `time: ${new Date(nowMs).toISOString()}`,
      `since: ${new Date(nowMs - hardMs).toISOString()}`,
      `reason: ${reason}`,
      "",
      "Nothing that was acknowledged is lost. Make room on the disk, raise spool.quotaMb, or look",
      "with `memspool status` and `memspool doctor` why the queue does not drain. This file goes",
      "when the limit is left.",
      "",
    ];
  }
}
