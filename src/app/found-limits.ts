/** What the kernel, V8 and the settings let a process like this one use, and its stalls. */
import { availableParallelism, totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import type { Config } from "../config/settings.ts";
import { cgroupDirectories, type SystemRoots, systemRoots } from "../pressure/cgroup-files.ts";
import { readCpuQuota } from "../pressure/cpu-quota.ts";
import { type MemoryLimit, readMemoryLimit } from "../pressure/memory-limit.ts";
import type { StallFacts } from "../pressure/pressure-facts.ts";
import { NO_STALLS, readStalls } from "../pressure/stalls.ts";

export interface FoundLimits {
  /** Undefined where nothing limits it. */
  readonly memory: MemoryLimit | undefined;
  /** In CPUs; undefined without a quota. */
  readonly cpuQuota: number | undefined;
  readonly cpus: number;
  readonly stalls: StallFacts;
}

/** Never throws: what can not be read is no limit. */
export async function foundLimits(
  config: Pick<Config, "memory.limitBytes">,
  roots: SystemRoots = systemRoots,
): Promise<FoundLimits> {
  const dirs = await cgroupDirectories(roots);
  const [memory, cpuQuota, reading] = await Promise.all([
    readMemoryLimit(dirs, {
      heapBytes: getHeapStatistics().heap_size_limit,
      settingBytes: config["memory.limitBytes"],
      totalBytes: totalmem(),
    }),
    readCpuQuota(dirs),
    readStalls(roots, dirs),
  ]);
  const stalls = "stalls" in reading ? reading.stalls : NO_STALLS;
  return { memory, cpuQuota, cpus: availableParallelism(), stalls };
}
