/**
 * The gate of a process that has no control loop, such as a command: it looks at the disk by itself.
 *
 *   enter ──▶ look, if it is time ──▶ the gate ──▶ ticket
 *                                        └─ held up ─▶ look again and again until it is over
 *
 * Guarantees: a look comes before the first capture, and before one that the last look would hold up.
 * Looks take about one part in LOOK_SHARE of the time, one at a time. A look that fails or hangs
 * keeps nobody longer than LOOK_MS_MAX, nor does any once it is closed; where nobody knows how full the
 * disk is, nobody is held up.
 */
import type { Timing } from "../platform/timing.ts";
import type { SpoolUsage } from "../queue/spool-usage.ts";
import type { Gate, GateRequest, Ticket } from "./gate.ts";
import type { SeenUlids } from "./own-appends.ts";
import type { GateFacts } from "./pressure-facts.ts";
import type { SpoolGuard } from "./spool-guard.ts";

export const LOOK_MS_MAX = 1_000;
/** Between two looks: while all is normal, and while somebody is held up. */
const CALM_MS = 1_000;
const HELD_UP_MS = 100;
const LOOK_SHARE = 20;
/** A look that took long because the thread was busy says little of the next. */
const PAUSE_MS_MAX = 5_000;

export interface LookingGateParts {
  readonly gate: Gate;
  readonly guard: SpoolGuard;
  readonly measure: () => Promise<{
    readonly usage: SpoolUsage;
    readonly pendingUlids: SeenUlids;
  }>;
  /** Told of a look that failed. */
  readonly onFailed: (error: unknown) => void;
  /** Its timers keep the process: somebody waits for them. */
  readonly timing: Timing;
  /** Whether somebody else looks now, so that this gate need not. */
  readonly isWatched: () => boolean;
}

export class LookingGate implements Gate {
  readonly #parts: LookingGateParts;
  #looking: Promise<void> | undefined;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #costMs = 0;
  #heldUp = 0;
  #isClosed = false;
  /** Of those who wait for a look. */
  readonly #stopWaiting = new Set<() => void>();
  #cancelLook: (() => void) | undefined;

  constructor(parts: LookingGateParts) {
    this.#parts = parts;
  }

  get inFlight(): number {
    return this.#parts.gate.inFlight;
  }

  facts(): GateFacts {
    return this.#parts.gate.facts();
  }

  async enter(request: GateRequest): Promise<Ticket> {
    const { gate, isWatched } = this.#parts;
    if (!this.#isClosed && !isWatched()) await this.#lookIfDue();
    const entering = gate.enter(request);
    this.#heldUp++;
    this.#planLook();
    try {
      return await entering;
    } finally {
      this.#heldUp--;
      if (this.#heldUp === 0) this.#cancel();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#parts.gate.close();
    for (const stop of this.#stopWaiting) stop();
  }

  async #lookIfDue(): Promise<void> {
    const { guard, timing } = this.#parts;
    const isCalm = guard.facts().state === "normal";
    const waitMs = isCalm ? CALM_MS - HELD_UP_MS : 0;
    if (timing.clock.monotonicMs() < this.#nextAtMs + waitMs) return;
    const isFirst = this.#nextAtMs === Number.NEGATIVE_INFINITY;
    const look = this.#look();
    if (isFirst || !isCalm) await this.#inTime(look);
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const { clock } = this.#parts.timing;
    const beganMs = clock.monotonicMs();
    try {
      const { usage, pendingUlids } = await this.#parts.measure();
      this.#parts.guard.measured(usage, pendingUlids);
    } catch (error) {
      this.#parts.guard.lookFailed();
      this.#parts.onFailed(error);
    }
    const nowMs = clock.monotonicMs();
    this.#costMs = nowMs - beganMs;
    this.#nextAtMs = nowMs + this.#pauseMs();
  }

  #pauseMs(): number {
    return Math.min(Math.max(HELD_UP_MS, LOOK_SHARE * this.#costMs), PAUSE_MS_MAX);
  }

  /** Whoever is admitted at once has left before the time comes. */
  #planLook(): void {
    if (this.#isClosed || this.#cancelLook !== undefined || this.#parts.isWatched()) return;
    this.#cancelLook = this.#parts.timing.schedule(this.#pauseMs(), () => {
      void this.#look().then(() => {
        this.#cancelLook = undefined;
        if (this.#heldUp > 0) this.#planLook();
      });
    });
  }

  #cancel(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  async #inTime(look: Promise<void>): Promise<void> {
    let stop = () => {};
    let cancel: (() => void) | undefined;
    const late = new Promise<void>((resolve) => {
      stop = resolve;
      cancel = this.#parts.timing.schedule(LOOK_MS_MAX, resolve);
    });
    this.#stopWaiting.add(stop);
    await Promise.race([look, late]);
    this.#stopWaiting.delete(stop);
    cancel?.();
  }
}
