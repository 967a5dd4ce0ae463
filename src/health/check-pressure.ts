/** Memory and pace of the servers. Pure. */
import type { HealthCheck, StatusReport } from "../memory/memory.ts";
import { degraded, ok } from "./check-result.ts";

const MIB = 1_048_576;

export interface FoundLimit {
  readonly limitBytes: number;
  readonly source: string;
}

/** @param found what limits a process like this one; undefined if nothing does */
export function judgeMemory(
  { pressure }: Pick<StatusReport, "pressure">,
  found: FoundLimit | undefined,
): HealthCheck {
  const name = "memory";
  const { level, rss_bytes, limit_bytes, source } = pressure.memory;
  // What a server says of itself goes before what would hold for this process.
  const limitBytes = limit_bytes ?? found?.limitBytes;
  const limit =
    limitBytes === undefined
      ? "not limited"
      : `limit ${mib(limitBytes)} (${limit_bytes === null ? found?.source : source})`;
  const used = rss_bytes === null ? "" : `, a server uses ${mib(rss_bytes)}`;
  const detail = `${limit}${used}, ${level}`;
  if (level === "normal") return ok(name, detail);
  return degraded(
    name,
    detail,
    level === "throttle"
      ? "Ingestion is slowed. Give the server more memory if this stays."
      : "Low-priority captures are refused. Give the server more memory, or run fewer of them.",
  );
}

export function judgePace({ pressure }: Pick<StatusReport, "pressure">): HealthCheck {
  const name = "pace";
  const { state, share_pct, cause } = pressure.governor;
  if (state === "normal") return ok(name, "ingestion is not slowed");
  return degraded(
    name,
    `ingestion is at ${share_pct} % (${cause ?? state})`,
    "It recovers by itself when the pressure is over; see the last events: memspool status",
  );
}

function mib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}
