/**
 * What stands before every capture: the shape that memory, hooks and imports know. capture-gate.ts
 * lets captures wait, instant-gate.ts decides at once, looking-gate.ts measures by itself.
 *
 *   enter ──▶ ticket ──▶ append ──▶ done(ulid)
 *     └─────▶ BACKPRESSURE (reason, retry_after_ms, stored "no")
 *
 * Guarantees: a ticket is a place below the limits and no acknowledgement: that comes from the append
 * alone. No lock is held while somebody waits.
 */
import type { GateFacts } from "./pressure-facts.ts";

export type CapturePriority = "high" | "normal" | "low";

export interface GateRequest {
  readonly priority: CapturePriority;
  /** Of its text in UTF-8. */
  readonly bytes: number;
  /** Ends the waiting; the promise rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called once before the capture is held up or refused: what it throws is the answer then. So that
   * who sent what can never be stored is told that, and does not wait for it.
   */
  readonly check?: (() => void) | undefined;
}

/** One for each capture that was let in. */
export interface Ticket {
  /**
   * The append is over, however it ended. Once for each ticket.
   * @param ulid of the record that is on disk now; undefined if it may not be there
   */
  done(ulid: string | undefined): void;
}

export interface Gate {
  /** @throws MemspoolError BACKPRESSURE (details: reason, retry_after_ms, stored) */
  enter(request: GateRequest): Promise<Ticket>;
  /** Captures that have a ticket and are not over. */
  readonly inFlight: number;
  facts(): GateFacts;
  /** From now on nobody waits: who does is refused at once and counted. Idempotent. */
  close(): void;
}

/** Id, times, checksum and a few fields. */
const ENVELOPE_EXTRA_BYTES = 400;

/**
 * What the envelope of a text takes on disk, about: much metadata or many escaped characters make it
 * larger, which the next look at the disk says.
 */
export function envelopeBytes(textBytes: number): number {
  return textBytes + ENVELOPE_EXTRA_BYTES;
}
