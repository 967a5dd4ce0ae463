/** Sources of pressure that know nothing: no look at the disk, no server. */
import type { PressureSources } from "../../src/memory/pressure-report.ts";
import type { Clock } from "../../src/platform/clock.ts";

export function noPressure(clock: Clock): PressureSources {
  return {
    limits: { quotaMb: 512, softPct: 90, hardPct: 100 },
    clock,
    measure: () => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })),
    judge: () => ({ state: "normal", reason: "" }),
    servers: async () => [],
  };
}
