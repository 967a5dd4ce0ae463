/**
 * What becomes of one capture, from the measurements alone. Pure; capture-gate.ts acts on it.
 *
 *   low, memory short                       ─▶ refuse "memory"
 *   low, drawn by early drop                ─▶ refuse "early_drop"
 *   relief is expected, and enough of it    ─▶ admit
 *   hard, no room for it, or others wait    ─▶ low: refuse "quota"
 *                                              place in the line ─▶ wait, else refuse "line"
 *   soft                                    ─▶ delay, once
 *   normal                                  ─▶ admit
 */
import { type EarlyDropSettings, isRefusedEarly } from "./early-drop.ts";
import { type CapturePriority, envelopeBytes } from "./gate.ts";
import type { MemoryLevel, SpoolState } from "./pressure-facts.ts";
import type { RefusalReason } from "./refusal.ts";

export interface GateSettings {
  readonly delayMs: number;
  readonly waitMs: number;
  readonly waitRecords: number;
  readonly waitBytes: number;
  readonly earlyDrop: EarlyDropSettings;
}

/** What the quota says about one more capture, own ones and those in flight counted in. */
export interface SpoolAdmission {
  readonly state: SpoolState;
  /** Trimming is about to bring use down: nobody is held up meanwhile. */
  readonly relievable: boolean;
  /** What still fits below the hard limit, with what will be trimmed for it. */
  readonly roomBytes: number;
}

export interface AdmissionFacts extends SpoolAdmission {
  readonly memory: MemoryLevel;
  /** Of the queue, 1 is full; undefined where it is not known. */
  readonly fill: number | undefined;
  /** A random number from 0 to less than 1. */
  readonly draw: number;
  readonly waiting: number;
  readonly waitingBytes: number;
}

export type Admission =
  | { readonly kind: "admit" | "delay" | "wait" }
  | { readonly kind: "refuse"; readonly reason: RefusalReason };

export interface Asking {
  readonly priority: CapturePriority;
  /** Of its text in UTF-8. */
  readonly bytes: number;
}

const ADMIT: Admission = { kind: "admit" };
const DELAY: Admission = { kind: "delay" };
const WAIT: Admission = { kind: "wait" };

/** For a capture that has just come. */
export function admission(
  facts: AdmissionFacts,
  asking: Asking,
  settings: GateSettings,
): Admission {
  if (asking.priority === "low" && (facts.memory === "shed" || facts.memory === "critical")) {
    return refuse("memory");
  }
  if (isRefusedEarly(asking.priority, facts.fill, settings.earlyDrop, facts.draw)) {
    return refuse("early_drop");
  }
  return spoolAdmission(facts, asking, settings);
}

/** What the quota says alone: also of one that was delayed. */
export function spoolAdmission(
  facts: Pick<AdmissionFacts, keyof SpoolAdmission | "waiting" | "waitingBytes">,
  { priority, bytes }: Asking,
  settings: GateSettings,
): Admission {
  // Who is in the line has come before: nobody overtakes.
  if (facts.waiting === 0 && mayPass(facts, bytes)) {
    return facts.state === "soft" && !facts.relievable && settings.delayMs > 0 ? DELAY : ADMIT;
  }
  if (priority === "low" || settings.waitMs === 0) return refuse("quota");
  const isLineFull =
    facts.waiting >= settings.waitRecords || facts.waitingBytes + bytes > settings.waitBytes;
  return isLineFull ? refuse("line") : WAIT;
}

/**
 * Whether there is a place now, for the first in the line too.
 * @param bytes of the text
 */
export function mayPass(facts: SpoolAdmission, bytes: number): boolean {
  const isOpen = facts.relievable || facts.state !== "hard";
  return isOpen && envelopeBytes(bytes) <= facts.roomBytes;
}

function refuse(reason: RefusalReason): Admission {
  return { kind: "refuse", reason };
}
