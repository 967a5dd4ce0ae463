/**
 * The pace of the ingester: additive increase, multiplicative decrease (AIMD). Pure.
 *
 *              pressure: × 0.5                no pressure: + 5 points
 *   normal ─────────────────▶ degraded ──────────────────────────────▶ recovering ───▶ normal
 *    100 %                     ▲  │ × 0.5, to the floor       + 5 ▲  │            at 100 %
 *                              │  └──▶ degraded                   └──┤
 *                              └───────────── pressure: × 0.5 ───────┘
 *
 * Guarantees: at most one step, in either direction, a cool-down; the first step down comes at once.
 * Never below the floor, and no step that changes nothing. Its only inputs are sensors of what is
 * short: neither the queue's depth nor the disk quota is one, because a slower ingester makes both
 * worse, which would slow it further.
 */
import type { Config } from "../config/settings.ts";
import type { EventFields, GovernorState, PressureSensor } from "../events/catalogue.ts";

export type GovernorSettings = Pick<Config, "governor.coolDownMs" | "governor.floorPct">;

export interface Governor {
  readonly state: GovernorState;
  /** Of the full pace, a whole number of percent. */
  readonly sharePct: number;
  /** Of the monotonic clock; -Infinity before the first step. */
  readonly lastStepMs: number;
  /** What lowered it last; undefined while normal. */
  readonly cause: PressureSensor | undefined;
}

export interface GovernorStep {
  readonly next: Governor;
  /** Where a step was taken. */
  readonly changed: EventFields["governor_changed"] | undefined;
}

const DECREASE = 0.5;
const INCREASE_PCT = 5;

export const FULL_PACE: Governor = Object.freeze({
  state: "normal",
  sharePct: 100,
  lastStepMs: Number.NEGATIVE_INFINITY,
  cause: undefined,
});

const MAY_FOLLOW: Readonly<Record<GovernorState, readonly GovernorState[]>> = {
  normal: ["degraded"],
  degraded: ["degraded", "recovering"],
  recovering: ["degraded", "recovering", "normal"],
};

/**
 * @param pressed the sensors that say so now, the gravest first
 * @param nowMs of the monotonic clock
 */
export function stepGovernor(
  governor: Governor,
  pressed: readonly PressureSensor[],
  nowMs: number,
  settings: GovernorSettings,
): GovernorStep {
  if (nowMs - governor.lastStepMs < settings["governor.coolDownMs"]) return stay(governor);
  const cause = pressed[0];
  return cause === undefined
    ? stepUp(governor, nowMs)
    : stepDown(governor, cause, nowMs, settings["governor.floorPct"]);
}

function stepDown(
  governor: Governor,
  cause: PressureSensor,
  nowMs: number,
  floorPct: number,
): GovernorStep {
  const sharePct = Math.max(floorPct, Math.floor(governor.sharePct * DECREASE));
  if (sharePct >= governor.sharePct) return stay(governor);
  return enter(governor, { state: "degraded", sharePct, lastStepMs: nowMs, cause }, cause);
}

function stepUp(governor: Governor, nowMs: number): GovernorStep {
  if (governor.state === "normal") return stay(governor);
  const sharePct = Math.min(100, governor.sharePct + INCREASE_PCT);
  const isNormal = sharePct === 100 && governor.state === "recovering";
  const state = isNormal ? "normal" : "recovering";
  const cause = isNormal ? undefined : governor.cause;
  return enter(governor, { state, sharePct, lastStepMs: nowMs, cause }, "relief");
}

function enter(
  from: Governor,
  next: Governor,
  cause: EventFields["governor_changed"]["cause"],
): GovernorStep {
  if (!MAY_FOLLOW[from.state].includes(next.state)) {
    throw new TypeError(`a governor that is ${from.state} can not become ${next.state}`);
  }
  const changed = { from: from.state, to: next.state, share_pct: next.sharePct, cause };
  return { next: Object.freeze(next), changed };
}

function stay(governor: Governor): GovernorStep {
  return { next: governor, changed: undefined };
}
