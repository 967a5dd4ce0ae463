/** From results to a verdict. Pure. */
import type { HealthCheck, HealthReport } from "../memory/memory.ts";

/** The worst result is the report's; no result at all is failing, for then nothing is known. */
export function healthReport(checks: readonly HealthCheck[]): HealthReport {
  const has = (status: HealthCheck["status"]) => checks.some((check) => check.status === status);
  const status =
    checks.length === 0 || has("failing") ? "failing" : has("degraded") ? "degraded" : "ok";
  return { status, checks: [...checks] };
}

/** What `memspool doctor` exits with. */
export function exitCodeOf(status: HealthReport["status"]): 0 | 1 | 2 {
  return status === "ok" ? 0 : status === "degraded" ? 1 : 2;
}
