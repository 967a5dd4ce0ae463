/** Time that can be waited for; a seam that tests replace. */
import { type Clock, systemClock } from "./clock.ts";

export interface Timing {
  readonly clock: Clock;
  /** Runs once after the delay unless the returned function is called before. */
  readonly schedule: (delayMs: number, run: () => void) => () => void;
}

/** For what may be left undone: a process that has nothing else to do ends. */
export const systemTiming: Timing = {
  clock: systemClock,
  schedule: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** For what somebody waits for: the process stays until it has run. */
export const keepingTiming: Timing = {
  clock: systemClock,
  schedule: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
