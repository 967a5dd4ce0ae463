/**
 * Waiting for another process's lock beyond SQLite's own busy timeout, in bounded steps between
 * which the thread is free to stop.
 */
import { setTimeout as delay } from "node:timers/promises";
import { unavailableReason } from "./errors.ts";

export interface BusyRetry {
  /** Tries altogether, each as long as the busy timeout. */
  readonly attemptsMax: number;
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** From 0 to 1; a seam. Without jitter, processes that collided would collide again. */
  readonly random: () => number;
}

export const BUSY_RETRY: BusyRetry = {
  attemptsMax: 4,
  delayMinMs: 5,
  delayMaxMs: 50,
  random: Math.random,
};

const PASSING = new Set(["busy", "locked", "protocol"]);

/**
 * The result of `attempt`, tried again while another process holds a lock.
 * @param isStopped ends the trying early; the last failure is then thrown
 */
export async function retryWhileBusy<T>(
  attempt: () => T,
  retry: BusyRetry,
  isStopped: () => boolean,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return attempt();
    } catch (error) {
      const passing = PASSING.has(unavailableReason(error) ?? "");
      if (!passing || tries >= retry.attemptsMax || isStopped()) throw error;
    }
    const { delayMinMs, delayMaxMs, random } = retry;
    await delay(delayMinMs + (delayMaxMs - delayMinMs) * random());
  }
}
