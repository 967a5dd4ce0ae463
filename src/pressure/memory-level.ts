/**
 * How short memory is, from RSS and the limit. Pure, with hysteresis: a level is entered at its
 * threshold and left only below the threshold of the level beneath it, the lowest below that of
 * relief. So a use that swings around one threshold is told once.
 *
 *              ≥ throttle          ≥ shed            ≥ critical
 *   normal ───────────────▶ throttle ─────▶ shed ─────────────▶ critical
 *          ◀───────────────          ◀─────      ◀─────────────
 *              < relief            < throttle        < shed
 *
 * Any level is entered at once, also from two below; one is left for whatever the use then is.
 */
import type { Config } from "../config/settings.ts";
import type { Events } from "../events/catalogue.ts";
import type { MemoryFacts, MemoryLevel } from "./pressure-facts.ts";

export type MemorySettings = Pick<
  Config,
  "memory.throttlePct" | "memory.shedPct" | "memory.criticalPct" | "memory.reliefPct"
>;

const LEVELS = ["normal", "throttle", "shed", "critical"] as const satisfies MemoryLevel[];

/** @param usePct of the limit; undefined without one, which is normal */
export function memoryLevel(
  previous: MemoryLevel,
  usePct: number | undefined,
  settings: MemorySettings,
): MemoryLevel {
  if (usePct === undefined) return "normal";
  const entered = [
    Number.NEGATIVE_INFINITY,
    settings["memory.throttlePct"],
    settings["memory.shedPct"],
    settings["memory.criticalPct"],
  ];
  const held = [Number.NEGATIVE_INFINITY, settings["memory.reliefPct"], entered[1], entered[2]];
  const highest = (thresholds: readonly (number | undefined)[]) =>
    thresholds.findLastIndex((pct) => usePct >= (pct as number));
  const rank = Math.max(highest(entered), Math.min(LEVELS.indexOf(previous), highest(held)));
  return LEVELS[rank] as MemoryLevel;
}

/** What the step from one look to the next is worth telling: edges only. */
export function tellMemory(
  from: MemoryLevel,
  facts: MemoryFacts,
  settings: MemorySettings,
  events: Events,
): void {
  const { level, rssBytes, limitBytes = 0 } = facts;
  const value = limitBytes > 0 ? Math.round((rssBytes / limitBytes) * 100) : 0;
  const rises = (to: MemoryLevel) =>
    LEVELS.indexOf(from) < LEVELS.indexOf(to) && reaches(level, to);
  const bytes = { rss_bytes: rssBytes, limit_bytes: limitBytes };
  if (rises("throttle")) {
    const limit = settings["memory.throttlePct"];
    events.emit("pressure_raised", { sensor: "memory", value, limit });
  }
  if (rises("shed")) events.emit("memory_shedding", bytes);
  if (rises("critical")) events.emit("memory_critical", bytes);
  if (level !== "normal" || from === "normal") return;
  const limit = settings["memory.reliefPct"];
  events.emit("pressure_relieved", { sensor: "memory", value, limit });
}

function reaches(level: MemoryLevel, other: MemoryLevel): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(other);
}
