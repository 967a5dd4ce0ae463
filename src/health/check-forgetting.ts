/** Whether orders to forget are carried out. Pure. */
import type { HealthCheck, StatusReport } from "../memory/memory.ts";
import { degraded, ok } from "./check-result.ts";

/** As the status has it. */
export const FORGETTING_AGE_MS_MAX = 5 * 60_000;
const MINUTE_MS = 60_000;

export function judgeForgetting(status: Pick<StatusReport, "ingester" | "queue">): HealthCheck {
  const name = "forgetting";
  const { forgetting, oldest_forgetting_age_ms: ageMs } = status.queue;
  if (forgetting === 0 || ageMs === null) return ok(name, "nothing is to be forgotten");
  const orders = forgetting === 1 ? "1 order is" : `${forgetting} orders are`;
  const since = `${orders} being carried out, the oldest for ${Math.floor(ageMs / MINUTE_MS)} min`;
  if (ageMs <= FORGETTING_AGE_MS_MAX) return ok(name, since);
  return degraded(
    name,
    since,
    status.ingester.leader === null
      ? "No process ingests: start a server (memspool serve) or run: memspool drain"
      : "Something keeps the store's log open: a backup, export, verify or sqlite3 shell that runs " +
          "on. End it; it is tried again by itself. forget_delayed in the log names other causes.",
  );
}
