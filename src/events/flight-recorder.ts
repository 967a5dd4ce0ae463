/**
 * The last minutes of this process: one snapshot a second, and the last signals.
 *
 * Guarantees: at most SNAPSHOTS_MAX snapshots and SIGNALS_MAX signals are kept, the newest; a second
 * in which no look could be made is not made up: the next snapshot says how many are missing before
 * it. The timer keeps nothing alive, and a look that throws costs its second and nothing else.
 * Everything is in memory: what a crash leaves of it is in its report (crash-guard.ts).
 */
import type { Clock } from "../platform/clock.ts";
import type { SignalBus, SignalSubscription } from "./bus.ts";
import { Ring } from "./ring.ts";
import type { Signal } from "./signal.ts";

const SNAPSHOTS_MAX = 100;
const SIGNALS_MAX = 100;
const SNAPSHOT_INTERVAL_MS = 1_000;

/** What one look sees. Null where it is not known. Names are those of the wire. */
export interface FlightLook {
  readonly heap_bytes: number;
  readonly rss_bytes: number;
  /** Records that wait for the store. */
  readonly depth: number | null;
  /** Of captures acknowledged in the last minute. */
  readonly ack_p50_ms: number | null;
  readonly ack_p99_ms: number | null;
  readonly loop_delay_ms: number | null;
  readonly spool_state: string | null;
  /** What the disk quota counts. */
  readonly used_bytes: number | null;
  /** Captures in the line at the hard limit. */
  readonly waiting: number | null;
  readonly memory_level: string | null;
  readonly governor_state: string | null;
  /** Of the ingester's full pace. */
  readonly governor_share: number | null;
}

export interface Snapshot extends FlightLook {
  /** ISO 8601. */
  readonly at: string;
  /** Seconds before this one in which no snapshot was taken: the thread was blocked. */
  readonly missed: number;
}

/** The object of `memspool://events`; newest first. */
export interface FlightReport {
  /** ISO 8601. */
  readonly started_at: string;
  /** Signals that went unseen because too many came at once. */
  readonly dropped: number;
  readonly signals: readonly Signal[];
  readonly snapshots: readonly Snapshot[];
}

export interface FlightRecorderParts {
  readonly bus: SignalBus;
  readonly clock: Clock;
  readonly look: () => FlightLook;
  /** After each snapshot; must not throw. */
  readonly onSnapshot?: (() => void) | undefined;
  /** Calls back every so often until the returned function is called; tests replace it. */
  readonly every?: (intervalMs: number, act: () => void) => () => void;
}

export class FlightRecorder {
  readonly #parts: FlightRecorderParts;
  readonly #startedAtMs: number;
  readonly #snapshots = new Ring<Snapshot>(SNAPSHOTS_MAX);
  readonly #signals = new Ring<Signal>(SIGNALS_MAX);
  readonly #subscription: SignalSubscription;
  #lastLookMs: number | undefined;
  #stopTimer: (() => void) | undefined;

  /** Signals are kept from now on; snapshots once it is started. */
  constructor(parts: FlightRecorderParts) {
    this.#parts = parts;
    this.#startedAtMs = parts.clock.nowMs();
    this.#subscription = parts.bus.subscribe(() => this.#keepSignals());
  }

  /** Idempotent. */
  start(): void {
    const { every = everyUnreferenced } = this.#parts;
    this.#stopTimer ??= every(SNAPSHOT_INTERVAL_MS, () => this.#tick());
  }

  /** What was recorded stays to be read. Idempotent. */
  stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#lastLookMs = undefined;
    this.#keepSignals();
  }

  /** Oldest first. */
  snapshots(): Snapshot[] {
    return this.#snapshots.all();
  }

  /** Oldest first, up to this moment. */
  signals(): Signal[] {
    this.#keepSignals();
    return this.#signals.all();
  }

  report(): FlightReport {
    return {
      started_at: new Date(this.#startedAtMs).toISOString(),
      dropped: this.#subscription.dropped,
      signals: this.signals().reverse(),
      snapshots: this.snapshots().reverse(),
    };
  }

  #keepSignals(): void {
    for (const signal of this.#subscription.take()) this.#signals.push(signal);
  }

  #tick(): void {
    const { clock, look, onSnapshot } = this.#parts;
    let seen: FlightLook;
    try {
      seen = look();
    } catch {
      return; // this second is missing, and the next snapshot says so
    }
    const nowMs = clock.monotonicMs();
    const missed = this.#missedBefore(nowMs);
    this.#lastLookMs = nowMs;
    this.#snapshots.push({ at: new Date(clock.nowMs()).toISOString(), missed, ...seen });
    onSnapshot?.();
  }

  #missedBefore(nowMs: number): number {
    if (this.#lastLookMs === undefined) return 0;
    return Math.max(0, Math.round((nowMs - this.#lastLookMs) / SNAPSHOT_INTERVAL_MS) - 1);
  }
}

function everyUnreferenced(intervalMs: number, act: () => void): () => void {
  const timer = setInterval(act, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
