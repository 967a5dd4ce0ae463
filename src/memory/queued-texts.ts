/**
 * The texts of all that is acknowledged and not in the store: pending and spilled records as one.
 *
 * Guarantees: a record that was acknowledged before the call is among them, or counts as
 * `unloaded`, or has reached the store by the time this resolves; none is there twice. That holds
 * while records move, because pending records are read to the end before the spill is listed, and a
 * record is durable in its next place before it leaves its last one: what is gone from pending lies
 * in a segment by then, or beyond, and what is gone from the spill lies in the store. So whoever
 * asks the store afterwards misses nothing; the store has the last word on what it knows.
 * Records in quarantine are not among them, so what a retry sends back is as if it were new.
 */
import type { PendingText } from "../queue/pending-view.ts";
import type { MemoryParts } from "./parts.ts";

export type QueuedTextsParts = Pick<MemoryParts, "view" | "spill">;

export type QueuedState = "pending" | "spilled";

export interface QueuedTexts {
  readonly envelopes: readonly PendingText[];
  readonly stateOf: (ulid: string) => QueuedState;
  /** Records that are not among them: beyond a bound, or unreadable. */
  readonly unloaded: number;
}

export async function queuedTexts({ view, spill }: QueuedTextsParts): Promise<QueuedTexts> {
  const { envelopes, unloaded } = await view.texts();
  const spilled = await spill.texts();
  const pending = new Set(envelopes.map(({ ulid }) => ulid));
  // In both for a moment while it is spilled, and for longer after a crash in between.
  const moved = spilled.envelopes.filter(({ ulid }) => !pending.has(ulid));
  return {
    envelopes: [...moved, ...envelopes],
    stateOf: (ulid) => (pending.has(ulid) ? "pending" : "spilled"),
    unloaded: unloaded + spilled.unloaded,
  };
}
