/** Time as the program sees it; a seam that tests replace. */

export interface Clock {
  /** Wall-clock milliseconds since 1970; may step back or forth. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start that never step. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
