/**
 * The gate of a process that has no time, a client's hook: it decides at once.
 *
 * Guarantees: nobody waits and nobody is slowed; at the hard limit a capture is refused, whatever its
 * priority. The disk is looked at once, within `lookMs`; where that fails or takes longer, captures
 * are let in. What is about to be trimmed does not count: whoever leads trims it, and a hook can not
 * wait to see.
 */
import type { Timing } from "../platform/timing.ts";
import { type SpoolUsage, softLimitBytes, usedBytes } from "../queue/spool-usage.ts";
import { envelopeBytes, type Gate, type GateRequest, type Ticket } from "./gate.ts";
import type { GateFacts } from "./pressure-facts.ts";
import { SPOOL_AT_EASE, type SpoolLimits, spoolReason, spoolState } from "./quota.ts";
import { backpressure, retryAfterMs } from "./refusal.ts";

export interface InstantGateParts {
  /** A look that is cheap rather than exact. */
  readonly estimate: () => Promise<SpoolUsage>;
  readonly limits: SpoolLimits;
  readonly lookMs: number;
  readonly timing: Timing;
}

export class InstantGate implements Gate {
  readonly #parts: InstantGateParts;
  #usage: Promise<SpoolUsage | undefined> | undefined;
  #ownBytes = 0;
  #inFlight = 0;
  #refused = 0;

  constructor(parts: InstantGateParts) {
    this.#parts = parts;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  facts(): GateFacts {
    const none = { waiting: 0, waitingBytes: 0, delayed: 0, refusedEarly: 0, refusedByMemory: 0 };
    return { ...none, refusedByQuota: this.#refused };
  }

  /** Begins the look, so that other work can be done meanwhile. */
  look(): void {
    this.#usage ??= this.#look();
  }

  async enter({ bytes, check }: GateRequest): Promise<Ticket> {
    this.look();
    const usage = await this.#usage;
    const why = usage === undefined ? "" : this.#hardReason(usage);
    if (why !== "") {
      check?.();
      this.#refused++;
      throw backpressure("quota", retryAfterMs("quota", 0), why);
    }
    const ownBytes = envelopeBytes(bytes);
    this.#ownBytes += ownBytes;
    this.#inFlight++;
    return {
      done: (ulid) => {
        this.#inFlight--;
        if (ulid === undefined) this.#ownBytes -= ownBytes;
      },
    };
  }

  close(): void {
    // Nobody ever waits here.
  }

  /** "" while captures are let in. */
  #hardReason(usage: SpoolUsage): string {
    const { limits, timing } = this.#parts;
    const softBytes = softLimitBytes(limits.quotaBytes, limits.softPct);
    const excessBytes = Math.max(0, usedBytes(usage) + this.#ownBytes - softBytes);
    const goingBytes = Math.min(usage.trimmableBytes, excessBytes);
    const trimmed = {
      ...usage,
      doneBytes: usage.doneBytes - goingBytes,
      trimmableBytes: 0,
      freeBytes: usage.freeBytes + goingBytes - this.#ownBytes,
    };
    const nowMs = timing.clock.monotonicMs();
    const load = { usage: trimmed, ownBytes: this.#ownBytes, heldBackBytes: 0, nowMs };
    const { state } = spoolState(SPOOL_AT_EASE, load, limits);
    return state === "hard" ? spoolReason(state, load, limits) : "";
  }

  async #look(): Promise<SpoolUsage | undefined> {
    const { estimate, lookMs, timing } = this.#parts;
    let cancel: (() => void) | undefined;
    const late = new Promise<undefined>((resolve) => {
      cancel = timing.schedule(lookMs, () => resolve(undefined));
    });
    // What can not be looked at holds nobody up: the capture itself says what is wrong with the disk.
    const usage = await Promise.race([estimate().catch(() => undefined), late]);
    cancel?.();
    return usage;
  }
}
