/**
 * Runs checks side by side, each within its time.
 *
 * Guarantees: always resolves, with one result a check in the order given; a check that throws is
 * failing, one that does not answer in time says so. Does not stop a call that hangs in the kernel:
 * its answer is dropped.
 */
import type { HealthCheck, HealthReport } from "../memory/memory.ts";
import { degraded, errnoText, failing } from "./check-result.ts";
import { healthReport } from "./report.ts";

export interface NamedCheck {
  readonly name: string;
  readonly run: () => HealthCheck | Promise<HealthCheck>;
  /** What silence means; a check that only takes long on much data is merely degraded. */
  readonly silence?: "degraded" | "failing";
}

/** Each check's time; the report is there a moment later at most. */
export const CHECK_TIMEOUT_MS = 8_000;

export async function runChecks(
  checks: readonly NamedCheck[],
  timeoutMs = CHECK_TIMEOUT_MS,
): Promise<HealthReport> {
  return healthReport(await Promise.all(checks.map((check) => runCheck(check, timeoutMs))));
}

async function runCheck(check: NamedCheck, timeoutMs: number): Promise<HealthCheck> {
  let timer: NodeJS.Timeout | undefined;
  const silent = new Promise<HealthCheck>((resolve) => {
    timer = setTimeout(() => {
      const result = check.silence === "degraded" ? degraded : failing;
      resolve(
        result(
          check.name,
          `no answer within ${timeoutMs / 1_000} s`,
          "See whether the disk or network file system hangs or the machine is overloaded.",
        ),
      );
    }, timeoutMs);
  });
  try {
    return await Promise.race([attempt(check), silent]);
  } finally {
    clearTimeout(timer);
  }
}

async function attempt(check: NamedCheck): Promise<HealthCheck> {
  try {
    return await check.run();
  } catch (error) {
    return failing(
      check.name,
      `could not be checked (${errnoText(error)})`,
      "Correct the cause that is named and run the check again.",
    );
  }
}
