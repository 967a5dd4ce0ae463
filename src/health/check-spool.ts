/** What the spool uses of its quota, and what that does to captures. Pure. */
import type { HealthCheck, StatusReport } from "../memory/memory.ts";
import { degraded, failing, ok } from "./check-result.ts";

export function judgeSpool({
  spool,
  spool_bytes,
  pressure,
}: Pick<StatusReport, "pressure" | "spool" | "spool_bytes">): HealthCheck {
  const name = "spool";
  const { used_mb, quota_mb, state, dropped_batches } = spool;
  const refused = dropped_batches === 0 ? "" : `, ${dropped_batches} captures refused`;
  const detail = `${used_mb} of ${quota_mb} MiB used, ${state}${refused}`;
  if (spool_bytes === null) {
    return degraded(
      name,
      "its size could not be measured",
      "See the other findings for the cause.",
    );
  }
  if (state === "normal") return ok(name, detail);
  const why = `${detail}: ${pressure.reason || "held by a server"}`;
  if (state === "hard") {
    return failing(
      name,
      why,
      "Captures wait or are refused. Free space on the disk, raise spool.quotaMb, or see why the " +
        "queue does not drain; memspool diag names the largest files.",
    );
  }
  return degraded(
    name,
    why,
    "The done archive is trimmed by itself. If this stays, raise spool.quotaMb, or see why the queue " +
      "does not drain: memspool diag names the largest files.",
  );
}
