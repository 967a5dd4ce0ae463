/**
 * How many CPUs this process may use, where cgroups limit them: the least of its own cgroup's quota
 * and those of all above it, `cpu.max` of v2 and `cpu.cfs_quota_us` of v1.
 *
 * Guarantees: never throws; `max`, -1, garbage and missing files are no quota. It is shown, and
 * nothing is decided by it: a share of a CPU that is used up shows as delay of the event loop.
 */
import { join } from "node:path";
import { type CgroupDirectories, textIfThere } from "./cgroup-files.ts";

/** In CPUs, such as 0.5; undefined without a quota. */
export async function readCpuQuota(
  dirs: Pick<CgroupDirectories, "unified" | "cpuV1">,
): Promise<number | undefined> {
  const quotas = await Promise.all([
    ...dirs.unified.map(async (dir) => quotaOf(await textIfThere(join(dir, "cpu.max")))),
    ...dirs.cpuV1.map(async (dir) => {
      const quota = await textIfThere(join(dir, "cpu.cfs_quota_us"));
      if (quota === undefined) return undefined;
      return quotaOf(`${quota} ${(await textIfThere(join(dir, "cpu.cfs_period_us"))) ?? ""}`);
    }),
  ]);
  const known = quotas.filter((quota) => quota !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

/** @param text quota and period, in microseconds */
function quotaOf(text: string | undefined): number | undefined {
  const [quota = "", period = "", ...rest] = text?.trim().split(/\s+/) ?? [];
  if (rest.length > 0 || !/^\d{1,15}$/.test(quota) || !/^\d{1,15}$/.test(period)) return undefined;
  const cpus = Number(quota) / Number(period);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : undefined;
}
