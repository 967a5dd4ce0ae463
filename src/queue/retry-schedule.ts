/** When a record that is at fault itself is tried again, and when no more. Pure. */

/** Wait before the second, third and every further attempt. */
const WAITS_MS = [0, 60_000, 120_000] as const;
export const RETRY_WAIT_MAX_MS = Math.max(...WAITS_MS);

export type NextAttempt =
  | { readonly kind: "retry"; readonly waitMs: number }
  | { readonly kind: "quarantine" };

/**
 * @param failures attempts that were spent so far, at least 1
 * @param attemptsMax attempts after which the record is quarantined
 */
export function nextAttempt(failures: number, attemptsMax: number): NextAttempt {
  if (failures >= attemptsMax) return { kind: "quarantine" };
  const waitMs = WAITS_MS[Math.min(failures, WAITS_MS.length) - 1] ?? 0;
  return { kind: "retry", waitMs };
}
