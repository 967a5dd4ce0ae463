/**
 * What happens to a record whose handling failed: keep its mark and wait, or quarantine it.
 *
 * Guarantees: a fault of the record itself spends one attempt and after the last leads to
 * quarantine; every other failure spends none and never does.
 */
import { type ErrorCode, MemspoolError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Claim } from "./claim.ts";
import { type QuarantineParts, type QuarantineReason, quarantine } from "./quarantine.ts";
import { withReserve } from "./reserve.ts";
import { nextAttempt } from "./retry-schedule.ts";

export interface SetAsideParts extends QuarantineParts {
  readonly events: Events;
  readonly attemptsMax: number;
}

export type SetAside = "waits" | "quarantined";

/** True if trying again can not help: the error says of itself that it is not retryable. */
export function isPermanent(error: unknown): boolean {
  return (error as { retryable?: unknown } | null | undefined)?.retryable === false;
}

/** Leaves the mark of a failure that was not the record's. */
export function keepForRetry(claim: Claim, error: unknown): void {
  const { attempts, faults } = claim.state;
  claim.fail({ attempts: attempts + 1, faults, code: codeOf(error) });
}

/** Spends one attempt of a record that is at fault itself. Effect on disk: mark or quarantine. */
export function spendAttempt(parts: SetAsideParts, claim: Claim, error: unknown): SetAside {
  const attempts = claim.state.attempts + 1;
  const faults = claim.state.faults + 1;
  const next = nextAttempt(faults, parts.attemptsMax);
  if (next.kind === "quarantine") {
    setAsideForGood(parts, claim, error, faults);
    return "quarantined";
  }
  const code = codeOf(error);
  const retryAtMs = parts.clock.nowMs() + next.waitMs;
  claim.fail({ attempts, faults, code, retryAtMs });
  parts.events.emit("envelope_set_aside", {
    ulid: claim.ulid,
    code,
    attempts: faults,
    retry_in_ms: next.waitMs,
  });
  return "waits";
}

/** Quarantines at once: for what no attempt can change, such as a conflict with a stored record. */
export function setAsideForGood(
  parts: SetAsideParts,
  claim: Claim,
  error: unknown,
  attempts: number,
): void {
  const reason = reasonOf(error, attempts);
  const file = withReserve(parts, () => quarantine(parts, claim.ulid, reason));
  claim.release();
  if (file !== undefined) {
    parts.events.emit("capture_quarantined", { ulid: claim.ulid, code: reason.code, attempts });
  }
}

/** What a reason file says of a failure. A text that is not ours may quote the record: not that. */
export function reasonOf(error: unknown, attempts: number): QuarantineReason {
  const message =
    error instanceof MemspoolError ? error.message : "The handler refused the record.";
  return { code: codeOf(error), message, attempts };
}

export function codeOf(error: unknown): ErrorCode {
  return error instanceof MemspoolError ? error.code : "INTERNAL";
}
