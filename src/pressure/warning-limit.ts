/**
 * `backpressure_warning`: that captures are held up or refused, without one line for each.
 *
 * Guarantees: at most one warning of a kind in WARNING_INTERVAL_MS. Its count is how often the kind
 * was met since the last one, so the counts of all warnings fall short of the truth only by what
 * came after the last.
 */
import type { EventFields, Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";

const WARNING_INTERVAL_MS = 60_000;

export type WarningKind = EventFields["backpressure_warning"]["kind"];

export interface WarningParts {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly events: Events;
}

interface Met {
  count: number;
  toldAtMs: number;
}

export class WarningLimit {
  readonly #parts: WarningParts;
  readonly #met = new Map<WarningKind, Met>();

  constructor(parts: WarningParts) {
    this.#parts = parts;
  }

  /** It was met once more. */
  meet(kind: WarningKind): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const met = this.#met.get(kind) ?? { count: 0, toldAtMs: Number.NEGATIVE_INFINITY };
    this.#met.set(kind, met);
    met.count++;
    if (nowMs - met.toldAtMs < WARNING_INTERVAL_MS) return;
    this.#parts.events.emit("backpressure_warning", { kind, count: met.count });
    met.count = 0;
    met.toldAtMs = nowMs;
  }
}
