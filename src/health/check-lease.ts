/** Whether somebody drains the queue. Pure. */
import type { HealthCheck, StatusReport } from "../memory/memory.ts";
import { degraded, ok } from "./check-result.ts";

/** A dead ingester's successor is there by then. */
export const TAKEOVER_MS_MAX = 15_000;

export function judgeLease(status: Pick<StatusReport, "ingester" | "queue">): HealthCheck {
  const name = "ingester";
  const { leader } = status.ingester;
  if (leader !== null) {
    return ok(name, `process ${leader.pid} on ${leader.host} drains since ${leader.since}`);
  }
  const waitingMs = status.queue.oldest_age_ms ?? 0;
  const waiting = status.queue.depth + status.queue.spilled;
  if (waiting === 0) return ok(name, "no process drains, and nothing waits");
  if (waitingMs <= TAKEOVER_MS_MAX) return ok(name, "no process drains yet");
  return degraded(
    name,
    `no process drains, though ${waiting === 1 ? "1 record waits" : `${waiting} records wait`}`,
    "Start a server (memspool serve) or run: memspool drain",
  );
}
