/** Whether what assistants' hooks should have captured was captured. Pure. */
import type { HealthCheck, StatusReport } from "../memory/memory.ts";
import { degraded, ok } from "./check-result.ts";

export function judgeHooks(hooks: StatusReport["hooks"]): HealthCheck {
  const name = "hooks";
  const captured = `${hooks.captured} ${hooks.captured === 1 ? "turn" : "turns"} captured`;
  if (hooks.failures === 0) {
    return ok(
      name,
      hooks.captured === 0
        ? "none has captured anything; memspool install writes them for a client"
        : captured,
    );
  }
  const failures = `${hooks.failures} ${hooks.failures === 1 ? "failure" : "failures"}`;
  const last = `${hooks.last_failure_code ?? "unknown"} at ${hooks.last_failure_at ?? "unknown"}`;
  const { last_failure_at: failed, last_captured_at: succeeded } = hooks;
  if (failed === null || (succeeded !== null && failed < succeeded)) {
    return ok(name, `${captured} since ${failures}, the last ${last}`);
  }
  return degraded(
    name,
    `${failures}, the last ${last}, and nothing was captured since`,
    "See hooks/failures.ndjson in the data directory and what docs/HOOKS.md says to its code.",
  );
}
