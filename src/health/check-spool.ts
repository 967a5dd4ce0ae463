/** What the spool uses of its quota, and what that does to captures. Pure. */
import type { HealthCheck, StatusReport } from "../memory/memory.ts";
import { degraded, failing, ok } from "./check-result.ts";

const MIB = 1_048_576;

export function judgeSpool({
  spool,
  spool_bytes,
  pressure,
}: Pick<StatusReport, "pressure" | "spool" | "spool_bytes">): HealthCheck {
  const name = "spool";
  const { quota_mb, state, dropped_batches } = spool;
  if (spool_bytes === null) {
    return degraded(
      name,
      "its size could not be measured",
      "See the other findings for the cause.",
    );
  }
  const refused = dropped_batches === 0 ? "" : `, ${counted(dropped_batches)} refused`;
  const since =
    state === "normal" || pressure.since === null
      ? ""
      : ` since ${pressure.since.replace(/\.\d+Z$/, "Z")}`;
  const detail = `${mib(spool_bytes.used)} of ${quota_mb} MiB used, ${state}${since}${refused}`;
  if (state === "normal") return ok(name, detail);
  const why = `${detail}: ${pressure.reason || "held by a server"}`;
  if (state === "hard") {
    return failing(
      name,
      why,
      "Captures wait or are refused. If the disk is short of room, make some; if the quota is used up, " +
        "raise spool.quotaMb, or see why the queue does not drain: memspool diag tells sizes.",
    );
  }
  return degraded(
    name,
    why,
    "The done archive is trimmed by itself. If this stays, raise spool.quotaMb, or see why the queue " +
      "does not drain: memspool diag tells sizes.",
  );
}

/** Tenths below ten, and never more than is used. */
function mib(bytes: number): number {
  const used = bytes / MIB;
  return used >= 10 ? Math.floor(used) : Math.floor(used * 10) / 10;
}

function counted(captures: number): string {
  return captures === 1 ? "1 capture" : `${captures} captures`;
}
