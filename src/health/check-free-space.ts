/** Whether the file system has room for captures to come. The queue's hard limits are P1's. */
import type { HealthCheck } from "../memory/memory.ts";
import { statfsOfNearest } from "./check-file-system.ts";
import { degraded, failing, ok } from "./check-result.ts";

export interface SpaceFacts {
  readonly freeBytes: number;
  readonly freeInodes: number;
  /** Zero where the file system makes inodes as it needs them. */
  readonly totalInodes: number;
}

export const FREE_BYTES_MIN = 64 * 1_048_576;
export const FREE_INODES_MIN = 1_000;
/** Warn while there is still time to act. */
const WARN_FACTOR = 4;

export function judgeFreeSpace(facts: SpaceFacts): HealthCheck {
  const name = "free space";
  const counted = facts.totalInodes > 0;
  const inodes = counted ? `${facts.freeInodes} inodes` : "inodes not limited";
  const detail = `${Math.floor(facts.freeBytes / 1_048_576)} MiB and ${inodes} free`;
  const below = (factor: number) =>
    facts.freeBytes < factor * FREE_BYTES_MIN ||
    (counted && facts.freeInodes < factor * FREE_INODES_MIN);
  const limits = `${FREE_BYTES_MIN / 1_048_576} MiB and ${FREE_INODES_MIN} inodes`;
  if (below(1)) {
    return failing(name, detail, `Free space now: captures need ${limits} in reserve.`);
  }
  if (below(WARN_FACTOR)) {
    return degraded(name, detail, `Free space soon: captures need ${limits} in reserve.`);
  }
  return ok(name, detail);
}

export async function checkFreeSpace(home: string): Promise<HealthCheck> {
  const { bavail, bsize, ffree, files } = await statfsOfNearest(home);
  return judgeFreeSpace({ freeBytes: bavail * bsize, freeInodes: ffree, totalInodes: files });
}
