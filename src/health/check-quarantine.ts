/** Whether records were set aside. Pure. */
import type { HealthCheck, StatusReport } from "../memory/memory.ts";
import { degraded, ok } from "./check-result.ts";

export function judgeQuarantine(status: Pick<StatusReport, "queue">): HealthCheck {
  const name = "quarantine";
  const { quarantined } = status.queue;
  if (quarantined === 0) return ok(name, "empty");
  return degraded(
    name,
    `${quarantined} ${quarantined === 1 ? "record is" : "records are"} set aside and kept`,
    "See why: memspool quarantine list; when that is mended: memspool quarantine retry --all",
  );
}
