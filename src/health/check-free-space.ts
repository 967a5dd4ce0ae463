/** Whether the file system has room for captures to come, by the limits at which they wait. */
import type { Config } from "../config/settings.ts";
import type { HealthCheck } from "../memory/memory.ts";
import { statfsOfNearest } from "./check-file-system.ts";
import { degraded, failing, ok } from "./check-result.ts";

export interface SpaceFacts {
  readonly freeBytes: number;
  readonly freeInodes: number;
  /** Zero where the file system makes inodes as it needs them. */
  readonly totalInodes: number;
}

export type SpaceLimits = Pick<Config, "spool.freeMbMin" | "spool.freeInodesMin">;

const MIB = 1_048_576;
/** Where no settings can be had. */
const USUAL_LIMITS: SpaceLimits = { "spool.freeMbMin": 64, "spool.freeInodesMin": 1_000 };
/** Warn while there is still time to act, also who has switched a limit off. */
const WARN_FACTOR = 4;

export function judgeFreeSpace(facts: SpaceFacts, limits = USUAL_LIMITS): HealthCheck {
  const name = "free space";
  const counted = facts.totalInodes > 0;
  const inodes = counted ? `${facts.freeInodes} inodes` : "inodes not limited";
  const detail = `${Math.floor(facts.freeBytes / MIB)} MiB and ${inodes} free`;
  const below = (freeMb: number, freeInodes: number) =>
    facts.freeBytes < freeMb * MIB || (counted && facts.freeInodes < freeInodes);
  const [freeMbMin, freeInodesMin] = [limits["spool.freeMbMin"], limits["spool.freeInodesMin"]];
  const reserve = `captures need ${freeMbMin} MiB and ${freeInodesMin} inodes in reserve.`;
  if (below(freeMbMin, freeInodesMin)) return failing(name, detail, `Free space now: ${reserve}`);
  const warnMb = WARN_FACTOR * Math.max(freeMbMin, USUAL_LIMITS["spool.freeMbMin"]);
  const warnInodes = WARN_FACTOR * Math.max(freeInodesMin, USUAL_LIMITS["spool.freeInodesMin"]);
  if (below(warnMb, warnInodes)) return degraded(name, detail, `Free space soon: ${reserve}`);
  return ok(name, detail);
}

export async function checkFreeSpace(home: string, limits?: SpaceLimits): Promise<HealthCheck> {
  const { bavail, bsize, ffree, files } = await statfsOfNearest(home);
  const facts = { freeBytes: bavail * bsize, freeInodes: ffree, totalInodes: files };
  return judgeFreeSpace(facts, limits);
}
