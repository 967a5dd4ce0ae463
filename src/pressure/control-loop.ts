/**
 * The one loop in which a server looks at its sensors and decides.
 *
 *   idle ── a capture comes, or something is not normal ──▶ busy (a tick every 50 ms)
 *        ◀── no capture under way and all normal ───────── (idle: a tick a second)
 *
 * Guarantees: runs on the thread that captures run on, and holds none of them up: a look that takes
 * long runs beside it, one at a time a sensor, and one that hangs stops neither another sensor nor
 * a decision. A look that costs more the more is there is paid from a budget: after one that took c
 * ms of this thread the next of that sensor comes GAP_PER_COST · c later at the earliest, but
 * GAP_MS_MAX later at the latest, and GAP_MS_URGENT while it is urgent, because use that nobody
 * looks at is worse than one that costs. Who knows that something has changed may ask for a look
 * ahead of its time, at most AHEAD_MS_MAX of it; the time is paid back after it. A sensor that
 * fails, or hangs, is told once until it can measure again. Decisions come from the last
 * measurements, never from events. Its timer keeps no process alive.
 */
import type { EventFields, Events } from "../events/catalogue.ts";
import { errnoOf } from "../platform/errno.ts";
import type { Timing } from "../platform/timing.ts";

export const BUSY_TICK_MS = 50;
export const IDLE_TICK_MS = 1_000;
/**
 * So that a sensor costs an eighth of a percent of this thread. What the kernel and the file threads
 * do for it comes on top: measured at 10,000 pending records, two to three times as much.
 */
export const GAP_PER_COST = 800;
export const GAP_MS_MAX = 5_000;
export const GAP_MS_URGENT = 2_000;
export const AHEAD_MS_MAX = 1_000;
/** A look under way for longer hangs. */
export const HANGS_MS = 10_000;

export interface Sensor {
  readonly name: EventFields["sensor_failed"]["sensor"];
  /** Between the starts of two looks, at the least. */
  readonly everyMs: number;
  /** Whether a look costs the more the more is there; else `everyMs` alone bounds what it costs. */
  readonly hasBudget?: boolean;
  /** Keeps by itself what it measures. @throws where it can not be measured */
  readonly look: (nowMs: number) => Promise<void> | void;
  /** After each look that failed, and again and again while one hangs. */
  readonly onFailed?: () => void;
}

export interface ControlLoopParts {
  readonly timing: Timing;
  readonly events: Events;
  readonly sensors: readonly Sensor[];
  /** Whether captures are under way, or anything is not normal. */
  readonly isBusy: () => boolean;
  /** From the last measurements, whatever is under way. Quick, and never throws. */
  readonly decide: (nowMs: number) => void;
  /** Whether somebody is held up, or may be soon. */
  readonly isUrgent: () => boolean;
  /** Starts to measure this thread's work; what it gives out tells the milliseconds since. */
  readonly startCost: () => () => number;
}

interface Watched {
  readonly sensor: Sensor;
  /** When the last look began, and what it cost. */
  lookedAtMs: number;
  costMs: number;
  /** How far ahead of its time it came. */
  aheadMs: number;
  isAskedFor: boolean;
  /** Since when a look is under way. */
  lookingSinceMs: number | undefined;
  isFailing: boolean;
}

export class ControlLoop {
  readonly #parts: ControlLoopParts;
  readonly #watched: readonly Watched[];
  #cancel: (() => void) | undefined;
  #nextTickMs = Number.POSITIVE_INFINITY;
  #running = false;

  constructor(parts: ControlLoopParts) {
    this.#parts = parts;
    this.#watched = parts.sensors.map((sensor) => ({
      ...{ sensor, lookedAtMs: Number.NEGATIVE_INFINITY, costMs: 0, aheadMs: 0 },
      isAskedFor: false,
      ...{ lookingSinceMs: undefined, isFailing: false },
    }));
  }

  /** Looks at once. Idempotent. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#tick();
  }

  /** Idempotent. What is under way ends by itself and changes nothing any more. */
  stop(): void {
    this.#running = false;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Something began: the next tick comes as it does when busy. Cheap; may come at any rate. */
  hurry(): void {
    if (!this.#running || this.#nextTickMs - this.#nowMs() <= BUSY_TICK_MS) return;
    this.#plan(BUSY_TICK_MS);
  }

  /** What a sensor measures has changed: it looks as soon as its budget allows. Cheap, as hurry. */
  ask(name: Sensor["name"]): void {
    const nowMs = this.#nowMs();
    for (const watched of this.#watched) {
      if (watched.sensor.name !== name) continue;
      watched.isAskedFor = true; // also while it looks: what it sees may be of before
      if (this.#running && watched.lookingSinceMs === undefined) this.#lookIfDue(watched, nowMs);
    }
  }

  #tick(): void {
    const nowMs = this.#nowMs();
    for (const watched of this.#watched) {
      if (watched.lookingSinceMs !== undefined) this.#seeWhetherItHangs(watched, nowMs);
      else this.#lookIfDue(watched, nowMs);
    }
    this.#parts.decide(nowMs);
    this.#plan(this.#parts.isBusy() ? BUSY_TICK_MS : IDLE_TICK_MS);
  }

  #plan(delayMs: number): void {
    this.#cancel?.();
    this.#nextTickMs = this.#nowMs() + delayMs;
    this.#cancel = this.#parts.timing.schedule(delayMs, () => this.#tick());
  }

  #lookIfDue(watched: Watched, nowMs: number): void {
    const { sensor, lookedAtMs, isAskedFor } = watched;
    if (nowMs < lookedAtMs + sensor.everyMs) return;
    const earlyMs = this.#paidAtMs(watched) - nowMs;
    if (earlyMs > (isAskedFor ? AHEAD_MS_MAX : 0)) return;
    watched.aheadMs = Math.max(0, earlyMs);
    this.#look(watched, nowMs);
  }

  #paidAtMs({ lookedAtMs, costMs, aheadMs }: Watched): number {
    const gapMs = Math.min(GAP_MS_MAX, costMs * GAP_PER_COST);
    const isShortened = gapMs > GAP_MS_URGENT && this.#parts.isUrgent();
    return lookedAtMs + aheadMs + (isShortened ? GAP_MS_URGENT : gapMs);
  }

  #look(watched: Watched, nowMs: number): void {
    // Measuring costs as much as a small look.
    const costMs = watched.sensor.hasBudget ? this.#parts.startCost() : () => 0;
    watched.isAskedFor = false;
    watched.lookedAtMs = nowMs;
    watched.lookingSinceMs = nowMs;
    const over = () => {
      watched.lookingSinceMs = undefined;
      watched.costMs = costMs();
    };
    try {
      const looking = watched.sensor.look(nowMs);
      if (looking instanceof Promise) {
        void looking.then(
          () => this.#looked(watched, over),
          (error: unknown) => this.#failed(watched, over, error),
        );
      } else {
        over();
        watched.isFailing = false;
      }
    } catch (error) {
      this.#failed(watched, over, error);
    }
  }

  #looked(watched: Watched, over: () => void): void {
    over();
    watched.isFailing = false;
    if (!this.#running) return;
    this.#parts.decide(this.#nowMs());
    // What it found may be the first that is not normal, and the next tick an idle one's.
    if (this.#parts.isBusy()) this.hurry();
  }

  #failed(watched: Watched, over: () => void, error: unknown): void {
    over();
    this.#tell(watched, errnoOf(error) ?? "unknown");
  }

  #seeWhetherItHangs(watched: Watched, nowMs: number): void {
    if (nowMs - (watched.lookingSinceMs ?? nowMs) >= HANGS_MS) this.#tell(watched, "ETIMEDOUT");
  }

  #tell(watched: Watched, errno: string): void {
    if (!this.#running) return;
    watched.sensor.onFailed?.();
    if (watched.isFailing) return;
    watched.isFailing = true;
    this.#parts.events.emit("sensor_failed", { sensor: watched.sensor.name, errno });
  }

  #nowMs(): number {
    return this.#parts.timing.clock.monotonicMs();
  }
}
