/**
 * Early drop (RED, Floyd and Jacobson 1993): as the queue fills, some low-priority captures are
 * refused before it is full, so that the others keep their places. Pure.
 *
 *   share refused                         ┌── refusePct
 *                                    ／
 *   0 ───────────────────────────／
 *                            fromPct    100 %  fill of the queue
 *
 * Guarantees: never a capture of high or normal priority, never anything that was acknowledged, and
 * nothing while nobody knows how full the queue is.
 */
import type { CapturePriority } from "./gate.ts";

export interface EarlyDropSettings {
  /** Fill from which some are refused, in percent. */
  readonly fromPct: number;
  /** Share that is refused when the queue is full, in percent. */
  readonly refusePct: number;
}

/**
 * @param fill pending records over the limit, 1 is full; undefined where it is not known
 * @returns 0–1
 */
export function refusalProbability(
  fill: number | undefined,
  { fromPct, refusePct }: EarlyDropSettings,
): number {
  if (fill === undefined || Number.isNaN(fill)) return 0;
  const most = refusePct / 100;
  if (fill >= 1) return most;
  const from = fromPct / 100;
  if (fill <= from) return 0;
  return (most * (fill - from)) / (1 - from);
}

/** @param draw a random number from 0 to less than 1 */
export function isRefusedEarly(
  priority: CapturePriority,
  fill: number | undefined,
  settings: EarlyDropSettings,
  draw: number,
): boolean {
  return priority === "low" && draw < refusalProbability(fill, settings);
}
