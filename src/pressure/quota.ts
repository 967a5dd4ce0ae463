/**
 * The disk quota: normal, soft or hard, by what the spool uses and what the disk has left. Pure.
 *
 *             use > soft                           use ≥ hard, or the disk is nearly full
 *   normal ──────────────▶ soft ──────────────────────────────────────────▶ hard
 *      ▲                    │ ▲                                               │
 *      └── use ≤ soft − 5 ──┘ └──── use < hard, ≤ hard − 5, and disk free ────┘
 *
 * Guarantees: the same facts lead to the same state, whoever asks. For hard, use is with the capture
 * that waits for room: without it, records that are not let in would keep use just below the limit. While nothing can be trimmed a state
 * is left only HYSTERESIS_POINTS below where it began, so that it does not flap around a limit. Where
 * something can be, or just was, use at or under soft is enough: trimming stops right there, and soft
 * would latch. Archive files that stay for TRIM_GRACE_MS while use is over soft count as not trimmable
 * until what is there changes. A disk is free again HYSTERESIS_POINTS percent above its minimum.
 * Does not look at anything and does not act: see queue/spool-meter.ts and capture-gate.ts.
 */
import { enoughFree, type SpoolUsage, softLimitBytes, usedBytes } from "../queue/spool-usage.ts";
import type { SpoolState } from "./pressure-facts.ts";

export const HYSTERESIS_POINTS = 5;
/** How long use may stay over soft without anything being trimmed, before captures are held up. */
export const TRIM_GRACE_MS = 2_000;
const MIB = 1_048_576;

export interface SpoolLimits {
  readonly quotaBytes: number;
  /** Percent of the quota; soft is at most hard. */
  readonly softPct: number;
  readonly hardPct: number;
  readonly freeBytesMin: number;
  readonly freeInodesMin: number;
}

/** The settings `spool.*` that the quota is made of. */
export interface SpoolSettings {
  readonly "spool.quotaMb": number;
  readonly "spool.softPct": number;
  readonly "spool.hardPct": number;
  readonly "spool.freeMbMin": number;
  readonly "spool.freeInodesMin": number;
}

export interface SpoolLoad {
  readonly usage: SpoolUsage;
  /** What this process has appended, or is about to, that the look does not count. */
  readonly ownBytes: number;
  /** What waits for room here: with it the limit is reached. 0 if nothing does. */
  readonly wantedBytes?: number;
  /** Of the archive, what can not be trimmed because the store lacks a record; 0 where unknown. */
  readonly heldBackBytes: number;
  /** Of the clock's monotonic time. */
  readonly nowMs: number;
}

/** A state with what the next one must know of it. */
export interface SpoolStanding {
  readonly state: SpoolState;
  /** Of the last look, without what is held back. */
  readonly trimmableBytes: number;
  /** Since when use went over soft and what can be trimmed stays as it is; undefined when normal. */
  readonly quietSinceMs: number | undefined;
}

/** Before the first look. */
export const SPOOL_AT_EASE: SpoolStanding = Object.freeze({
  state: "normal",
  trimmableBytes: 0,
  quietSinceMs: undefined,
});

export function spoolLimits(settings: SpoolSettings): SpoolLimits {
  return Object.freeze({
    quotaBytes: settings["spool.quotaMb"] * MIB,
    softPct: settings["spool.softPct"],
    hardPct: settings["spool.hardPct"],
    freeBytesMin: settings["spool.freeMbMin"] * MIB,
    freeInodesMin: settings["spool.freeInodesMin"],
  });
}

/** What follows, given the standing before. */
export function spoolState(
  previous: SpoolStanding,
  load: SpoolLoad,
  limits: SpoolLimits,
): SpoolStanding {
  const trimmableBytes = Math.max(0, load.usage.trimmableBytes - load.heldBackBytes);
  const unchanged = trimmableBytes === previous.trimmableBytes;
  const since = unchanged ? previous.quietSinceMs : undefined;
  const quietSinceMs = since ?? (overSoft(load, limits) ? load.nowMs : undefined);
  const trimming =
    trimmableBytes < previous.trimmableBytes ||
    (trimmableBytes > 0 && !isQuiet(quietSinceMs, load.nowMs));
  const state = nextState(previous.state, load, limits, trimming);
  return {
    state,
    trimmableBytes,
    quietSinceMs: state === "normal" ? undefined : quietSinceMs,
  };
}

/** Whether trimming is expected to bring use down, so that captures are not held up meanwhile. */
export function relievable(standing: SpoolStanding, nowMs: number): boolean {
  if (standing.quietSinceMs === undefined || standing.trimmableBytes === 0) return false;
  return !isQuiet(standing.quietSinceMs, nowMs);
}

/** One sentence; "" when normal. */
export function spoolReason(state: SpoolState, load: SpoolLoad, limits: SpoolLimits): string {
  if (state === "normal") return "";
  const pct = state === "hard" ? limits.hardPct : limits.softPct;
  const used = `The spool uses ${inMib(usedOf(load))} of ${inMib(limits.quotaBytes)} MiB`;
  if (state === "soft") {
    if (overSoft(load, limits)) return `${used}, more than ${pct} %.`;
    return `${used}; it was more than ${pct} %, and that is over at ${leavingPct(pct)} %.`;
  }
  const { freeBytes, freeInodes } = load.usage;
  const { freeBytesMin, freeInodesMin } = limits;
  if (freeBytes < freeBytesMin) {
    return `The disk has ${inMib(freeBytes)} MiB free, less than ${inMib(freeBytesMin)}.`;
  }
  if (freeInodes < freeInodesMin) {
    return `The disk has ${freeInodes} inodes free, less than ${freeInodesMin}.`;
  }
  if (isAtHard(load, limits)) return `${used}, the limit is ${pct} %.`;
  if (freeBytes < enoughFree(freeBytesMin)) {
    const enough = inMib(enoughFree(freeBytesMin));
    return `The disk has ${inMib(freeBytes)} MiB free; ${enough} are enough.`;
  }
  if (freeInodes < enoughFree(freeInodesMin)) {
    const enough = Math.ceil(enoughFree(freeInodesMin));
    return `The disk has ${freeInodes} inodes free; ${enough} are enough.`;
  }
  return `${used}; it was at ${pct} %, and that is over at ${leavingPct(pct)} %.`;
}

/** Where trimming begins. */
export function overSoft(load: SpoolLoad, limits: SpoolLimits): boolean {
  return usedOf(load) > pctBytes(limits, limits.softPct);
}

/** Whether hard, once it is there, would stay. */
export function holdsHard(load: SpoolLoad, limits: SpoolLimits): boolean {
  return usedOf(load) > pctBytes(limits, leavingPct(limits.hardPct));
}

function nextState(
  previous: SpoolState,
  load: SpoolLoad,
  limits: SpoolLimits,
  trimming: boolean,
): SpoolState {
  if (!isDiskFree(load, limits, (min) => min) || isAtHard(load, limits)) return "hard";
  const isLeft = (pct: number) => trimming || usedOf(load) <= pctBytes(limits, leavingPct(pct));
  if (previous === "hard") {
    if (!isDiskFree(load, limits, enoughFree) || !isLeft(limits.hardPct)) return "hard";
  }
  if (overSoft(load, limits)) return "soft";
  return previous === "normal" || isLeft(limits.softPct) ? "normal" : "soft";
}

function isDiskFree(
  { usage }: SpoolLoad,
  { freeBytesMin, freeInodesMin }: SpoolLimits,
  enough: (min: number) => number,
): boolean {
  return usage.freeBytes >= enough(freeBytesMin) && usage.freeInodes >= enough(freeInodesMin);
}

function isQuiet(sinceMs: number | undefined, nowMs: number): boolean {
  return sinceMs !== undefined && nowMs - sinceMs >= TRIM_GRACE_MS;
}

function isAtHard(load: SpoolLoad, limits: SpoolLimits): boolean {
  return usedOf(load) + (load.wantedBytes ?? 0) >= pctBytes(limits, limits.hardPct);
}

function usedOf({ usage, ownBytes }: SpoolLoad): number {
  return usedBytes(usage) + ownBytes;
}

function pctBytes({ quotaBytes }: SpoolLimits, pct: number): number {
  return softLimitBytes(quotaBytes, pct);
}

/** A tiny limit is left at half of it: nothing is ever below none. */
function leavingPct(pct: number): number {
  return Math.max(pct - HYSTERESIS_POINTS, pct / 2);
}

/** A number that a person reads: whole from ten on, and never more than there is. */
function inMib(bytes: number): string {
  const mib = bytes / MIB;
  return mib >= 10 ? String(Math.floor(mib)) : (Math.floor(mib * 10) / 10).toFixed(1);
}
