/**
 * What a capture is told that may not be stored now, and when to try again.
 *
 * Guarantees: says `stored: "no"`, because nothing of it was written; names no record.
 */
import { MemspoolError } from "../errors.ts";

export type RefusalReason = "quota" | "line" | "early_drop" | "memory";

/**
 * When it is worth trying again: a line has been served or refused after its own waiting time, a
 * queue drains in seconds, memory and disk take longer.
 */
const RETRY_AFTER_MS: Readonly<Record<Exclude<RefusalReason, "line">, number>> = {
  quota: 5_000,
  early_drop: 2_000,
  memory: 10_000,
};
const LINE_RETRY_AFTER_MS_MIN = 1_000;

export function retryAfterMs(reason: RefusalReason, waitMs: number): number {
  return reason === "line" ? Math.max(waitMs, LINE_RETRY_AFTER_MS_MIN) : RETRY_AFTER_MS[reason];
}

const WHY: Readonly<Record<RefusalReason, string>> = {
  quota: "There is no room on disk for it",
  line: "There is no room on disk, and as many captures wait as may",
  early_drop:
    "The queue fills faster than it drains, and some captures of low priority are refused",
  memory: "Memory is short, and captures of low priority are refused",
};

/** @param why the spool's reason, a sentence; "" if it is none of the spool's */
export function backpressure(
  reason: RefusalReason,
  retryAfterMs: number,
  why: string,
): MemspoolError {
  const seconds = Math.ceil(retryAfterMs / 1_000);
  const cause = why === "" ? "" : ` ${why}`;
  return new MemspoolError(
    "BACKPRESSURE",
    `${WHY[reason]}.${cause} Nothing was stored; capture it again in ${seconds} s. ` +
      "If it lasts, see `memspool status`.",
    { details: { reason, retry_after_ms: retryAfterMs, stored: "no" } },
  );
}
