/** What a pressure control says when all is well, and a look at a disk, to be changed by a test. */
import type { PressureFacts } from "../../src/pressure/pressure-facts.ts";
import type { SpoolUsage } from "../../src/queue/spool-usage.ts";

export const SINCE_MS = Date.UTC(2026, 2, 1, 9, 30);
const MIB = 1_048_576;

export function usageOf(changes: Partial<SpoolUsage> = {}): SpoolUsage {
  return {
    atMs: 0,
    pendingBytes: 0,
    pendingCount: 0,
    spilledBytes: 0,
    doneBytes: 0,
    trimmableBytes: 0,
    tempBytes: 0,
    quarantineBytes: 0,
    freeBytes: 4_096 * MIB,
    freeInodes: 1_000_000,
    ...changes,
  };
}

export function calmFacts(changes: Partial<PressureFacts> = {}): PressureFacts {
  return {
    spool: {
      state: "normal",
      sinceMs: SINCE_MS,
      reason: "",
      usage: usageOf(),
      quotaBytes: 512 * MIB,
      softPct: 90,
      hardPct: 100,
    },
    gate: {
      waiting: 0,
      waitingBytes: 0,
      delayed: 0,
      refusedByQuota: 0,
      refusedEarly: 0,
      refusedByMemory: 0,
    },
    memory: { level: "normal", rssBytes: 100 * MIB, limitBytes: 256 * MIB, source: "cgroup v2" },
    stall: { known: true, cpu: 1.5, memory: 0, io: 0.25 },
    loopDelayMs: 1.26,
    cpuQuota: undefined,
    governor: { state: "normal", share: 1, sinceMs: SINCE_MS, cause: undefined },
    ackP50Ms: 2.04,
    ackP99Ms: 9.96,
    ...changes,
  };
}
