/**
 * Hands each event to every subscriber, in order, at once.
 *
 * Guarantees: `emit` never throws: a subscriber that fails is left out of that event, and its
 * failure does not reach the code that reported. Subscribers are few and must not block.
 */
import type { EventFields, EventName, Events, MemspoolEvent } from "./catalogue.ts";

export type EventSubscriber = (event: MemspoolEvent) => void;

export class EventHub implements Events {
  readonly #subscribers = new Set<EventSubscriber>();

  emit<N extends EventName>(event: N, fields: EventFields[N]): void {
    const whole = { event, fields } as MemspoolEvent;
    // A copy: a subscriber may end its subscription and begin another.
    for (const subscriber of [...this.#subscribers]) {
      try {
        subscriber(whole);
      } catch {
        // Reporting must not undo what was reported: the record is on disk, whoever hears of it.
      }
    }
  }

  /** @returns ends the subscription */
  subscribe(subscriber: EventSubscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }
}
