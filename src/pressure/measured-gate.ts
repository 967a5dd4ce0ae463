/**
 * A gate that notes how long captures take from the moment they ask until they are on disk, waiting
 * included, and says when one begins.
 *
 * Guarantees: decides nothing; a capture that was refused or failed is not counted.
 */
import type { Clock } from "../platform/clock.ts";
import type { AckLatency } from "./ack-latency.ts";
import type { Gate, GateRequest, Ticket } from "./gate.ts";

export interface MeasuredGateParts {
  readonly clock: Clock;
  readonly latency: AckLatency;
  /** Before each capture; cheap. */
  readonly onEnter: () => void;
}

export function measuredGate(gate: Gate, parts: MeasuredGateParts): Gate {
  const { clock, latency, onEnter } = parts;
  return {
    get inFlight() {
      return gate.inFlight;
    },
    facts: () => gate.facts(),
    close: () => gate.close(),
    async enter(request: GateRequest): Promise<Ticket> {
      const startedMs = clock.monotonicMs();
      onEnter();
      const ticket = await gate.enter(request);
      return {
        done: (ulid) => {
          const nowMs = clock.monotonicMs();
          if (ulid !== undefined) latency.add(nowMs - startedMs, nowMs);
          ticket.done(ulid);
        },
      };
    },
  };
}
