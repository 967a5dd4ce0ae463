/** Events kept in a list, with a way to wait for one. */
import type { EventFields, EventName, Events } from "../../src/events/catalogue.ts";

export class RecordedEvents implements Events {
  readonly all: { event: EventName; fields: object }[] = [];

  emit<N extends EventName>(event: N, fields: EventFields[N]): void {
    this.all.push({ event, fields });
  }

  named<N extends EventName>(name: N): EventFields[N][] {
    return this.all.filter(({ event }) => event === name).map(({ fields }) => fields as never);
  }
}
