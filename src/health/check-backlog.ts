/** How long acknowledged records have been waiting for the store. Pure. */
import type { HealthCheck, StatusReport } from "../memory/memory.ts";
import { degraded, ok } from "./check-result.ts";

export const BACKLOG_AGE_MS_MAX = 60_000;
const WHEN_FULL: Readonly<Record<StatusReport["queue"]["overflow"], string>> = {
  spill: "the oldest are spilled",
  reject: "captures are refused",
  "drop-oldest": "the oldest are dropped",
};

export function judgeBacklog(status: Pick<StatusReport, "ingester" | "queue">): HealthCheck {
  const name = "backlog";
  const { depth, spilled, oldest_age_ms, max_records, overflow } = status.queue;
  if (depth + spilled === 0 || oldest_age_ms === null) return ok(name, "empty");
  const waiting = spilled === 0 ? `${depth} pending` : `${depth} pending and ${spilled} spilled`;
  const isFull = depth >= max_records;
  const full = isFull ? `; the queue is full, ${WHEN_FULL[overflow]}` : "";
  const detail = `${waiting}, the oldest for ${Math.round(oldest_age_ms / 1_000)} s${full}`;
  const { delayed } = status.ingester;
  if (delayed !== null) {
    const { code, reason, since, failures } = delayed;
    const times = failures === 1 ? "a failure" : `${failures} failures`;
    const what = reason === "" ? code : `${code}: ${reason}`;
    return degraded(
      name,
      `${detail}; the ingester waits after ${times} (${what}), since ${since}`,
      "The records are safe in the queue. Look the code up in docs/ERRORS.md and mend its cause.",
    );
  }
  if (!isFull && oldest_age_ms <= BACKLOG_AGE_MS_MAX) return ok(name, detail);
  return degraded(name, detail, "See whether a server runs; or run: memspool drain");
}
