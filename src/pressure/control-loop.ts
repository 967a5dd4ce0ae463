/**
 * The one loop in which a server looks at its sensors and decides.
 *
 *   idle ── a capture comes, or something is not normal ──▶ busy (a tick every 50 ms)
 *        ◀── no capture under way and all normal ───────── (idle: a tick a second)
 *
 * Guarantees: runs on the thread that captures run on, and holds none of them up: a look that takes
 * long runs beside it, one at a time a sensor, and one that hangs stops neither another sensor nor a
 * decision. Each look is paid from a budget: after one that took c ms of this thread the next of that
 * sensor comes GAP_PER_COST · c later at the earliest, but GAP_MS_MAX later at the latest, because use
 * that nobody looks at is worse than one that costs. A sensor that fails, or hangs, is told once until
 * it can measure again. Decisions come from the last measurements, never from events. Its timer keeps
 * no process alive.
 */
import type { EventFields, Events } from "../events/catalogue.ts";
import { errnoOf } from "../platform/errno.ts";
import type { Timing } from "../platform/timing.ts";

export const BUSY_TICK_MS = 50;
export const IDLE_TICK_MS = 1_000;
/**
 * So that a sensor costs a quarter of a percent of this thread at most. What the kernel and the file
 * threads do for it comes on top: measured, about half as much again.
 */
export const GAP_PER_COST = 400;
export const GAP_MS_MAX = 15_000;
/** A look under way for longer hangs. */
export const HANGS_MS = 10_000;

export interface Sensor {
  readonly name: EventFields["sensor_failed"]["sensor"];
  /** Between the starts of two looks, at the least. */
  readonly everyMs: number;
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
  /** Milliseconds that this thread has worked so far. */
  readonly threadMs: () => number;
}

interface Watched {
  readonly sensor: Sensor;
  dueMs: number;
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
      ...{ sensor, dueMs: Number.NEGATIVE_INFINITY },
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

  #tick(): void {
    const nowMs = this.#nowMs();
    for (const watched of this.#watched) {
      if (watched.lookingSinceMs !== undefined) this.#seeWhetherItHangs(watched, nowMs);
      else if (nowMs >= watched.dueMs) this.#look(watched, nowMs);
    }
    this.#parts.decide(nowMs);
    this.#plan(this.#parts.isBusy() ? BUSY_TICK_MS : IDLE_TICK_MS);
  }

  #plan(delayMs: number): void {
    this.#cancel?.();
    this.#nextTickMs = this.#nowMs() + delayMs;
    this.#cancel = this.#parts.timing.schedule(delayMs, () => this.#tick());
  }

  #look(watched: Watched, nowMs: number): void {
    const { threadMs } = this.#parts;
    const beforeMs = threadMs();
    watched.lookingSinceMs = nowMs;
    const over = () => {
      watched.lookingSinceMs = undefined;
      const gapMs = Math.min(GAP_MS_MAX, (threadMs() - beforeMs) * GAP_PER_COST);
      watched.dueMs = nowMs + Math.max(watched.sensor.everyMs, gapMs);
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
