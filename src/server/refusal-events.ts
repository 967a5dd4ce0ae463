/**
 * Reports refused messages without letting a flood of them become a flood of events: the first of a
 * kind at once, then at most one event a second with the count since the last.
 */
import type { EventFields, Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";

type Reason = EventFields["message_refused"]["reason"];

const EVENT_INTERVAL_MS = 1_000;

export class RefusalEvents {
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #kinds = new Map<Reason, { code: number; count: number; toldAtMs: number }>();

  constructor(events: Events, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  refused(code: number, reason: Reason): void {
    const kind = this.#kinds.get(reason) ?? {
      code,
      count: 0,
      toldAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#kinds.set(reason, kind);
    kind.count += 1;
    if (this.#clock.monotonicMs() - kind.toldAtMs >= EVENT_INTERVAL_MS) this.#tell(reason);
  }

  /** Reports what was not reported yet. */
  flush(): void {
    for (const [reason, { count }] of this.#kinds) if (count > 0) this.#tell(reason);
  }

  #tell(reason: Reason): void {
    const kind = this.#kinds.get(reason);
    if (kind === undefined) return;
    this.#events.emit("message_refused", { code: kind.code, reason, count: kind.count });
    kind.count = 0;
    kind.toldAtMs = this.#clock.monotonicMs();
  }
}
