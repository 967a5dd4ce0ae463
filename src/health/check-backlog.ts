/** How long acknowledged records have been waiting for the store. Pure. */
import type { HealthCheck, StatusReport } from "../memory/memory.ts";
import { degraded, ok } from "./check-result.ts";

export const BACKLOG_AGE_MS_MAX = 60_000;

export function judgeBacklog(status: Pick<StatusReport, "ingester" | "queue">): HealthCheck {
  const name = "backlog";
  const { depth, spilled, oldest_age_ms } = status.queue;
  if (depth + spilled === 0 || oldest_age_ms === null) return ok(name, "empty");
  const waiting = spilled === 0 ? `${depth} pending` : `${depth} pending and ${spilled} spilled`;
  const detail = `${waiting}, the oldest for ${Math.round(oldest_age_ms / 1_000)} s`;
  const { delayed } = status.ingester;
  if (oldest_age_ms <= BACKLOG_AGE_MS_MAX) return ok(name, detail);
  if (delayed !== null) {
    return degraded(
      name,
      `${detail}; the ingester waits after ${delayed.failures} failures (${delayed.code})`,
      "The records are safe in the queue. Look the code up in docs/ERRORS.md and mend its cause.",
    );
  }
  return degraded(name, detail, "See whether a server runs; or run: memspool drain");
}
