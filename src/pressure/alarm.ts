/**
 * One threshold over time: when a measurement is pressure, and when that is told. Pure state, moved
 * on by each measurement; the memory sensor has levels of its own instead (memory-level.ts).
 *
 *   calm ── over for `raiseMs` without a break ──▶ pressed ── under for RELIEF_MS ──▶ calm
 *
 * Guarantees: told at most once a TELL_MS; relief is told exactly once for each time that pressure
 * was told. What is not told again is acted upon all the same.
 */
import type { Events, PressureSensor } from "../events/catalogue.ts";

/** Without a break under the threshold before pressure is over. */
const RELIEF_MS = 2_000;
/** Between two tellings of one sensor's pressure. */
export const TELL_MS = 60_000;

export interface AlarmOptions {
  readonly sensor: Exclude<PressureSensor, "memory">;
  /** From which a value is pressure. */
  readonly limit: number;
  /** How long without a break it must be over; 0 is at once. */
  readonly raiseMs: number;
  readonly events: Events;
}

export class Alarm {
  readonly #options: AlarmOptions;
  #pressed = false;
  /** Since when the measurements say the other of what `pressed` says. */
  #againstSinceMs: number | undefined;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #reliefIsDue = false;

  constructor(options: AlarmOptions) {
    this.#options = options;
  }

  get pressed(): boolean {
    return this.#pressed;
  }

  /** @param nowMs of the monotonic clock */
  measured(value: number, nowMs: number): void {
    const { limit, raiseMs } = this.#options;
    if (value >= limit === this.#pressed) {
      this.#againstSinceMs = undefined;
      return;
    }
    this.#againstSinceMs ??= nowMs;
    if (nowMs - this.#againstSinceMs < (this.#pressed ? RELIEF_MS : raiseMs)) return;
    this.#pressed = !this.#pressed;
    this.#againstSinceMs = undefined;
    this.#tell(Math.round(value), nowMs);
  }

  #tell(value: number, nowMs: number): void {
    const { sensor, limit, events } = this.#options;
    if (!this.#pressed) {
      if (this.#reliefIsDue) events.emit("pressure_relieved", { sensor, value, limit });
      this.#reliefIsDue = false;
    } else if (nowMs - this.#toldAtMs >= TELL_MS) {
      this.#toldAtMs = nowMs;
      this.#reliefIsDue = true;
      events.emit("pressure_raised", { sensor, value, limit });
    }
  }
}
