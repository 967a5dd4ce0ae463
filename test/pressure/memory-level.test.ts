/** P7: levels of memory, and that they are told on edges only. */
import { describe, expect, it } from "vitest";
import { memoryLevel, tellMemory } from "../../src/pressure/memory-level.ts";
import type { MemoryLevel } from "../../src/pressure/pressure-facts.ts";
import { DEFAULT_SETTINGS } from "../support/default-settings.ts";
import { RecordedEvents } from "../support/recorded-events.ts";

/** The levels that a row of uses leads through, and what is told on the way. */
function through(...uses: (number | undefined)[]): { levels: MemoryLevel[]; told: string[] } {
  const events = new RecordedEvents();
  const levels: MemoryLevel[] = [];
  let level: MemoryLevel = "normal";
  for (const usePct of uses) {
    const next = memoryLevel(level, usePct, DEFAULT_SETTINGS);
    const limitBytes = usePct === undefined ? undefined : 100;
    const facts = { level: next, rssBytes: usePct ?? 0, limitBytes, source: undefined };
    tellMemory(level, facts, DEFAULT_SETTINGS, events);
    levels.push(next);
    level = next;
  }
  return { levels, told: events.all.map(({ event }) => event) };
}

describe("the level of memory", () => {
  it("P7: throttles from 70 %, sheds from 85 %, is critical from 90 %", () => {
    expect(through(69.9, 70, 84.9, 85, 89.9, 90).levels).toEqual([
      ...["normal", "throttle", "throttle", "shed", "shed", "critical"],
    ]);
  });

  it("P7: relief comes below 55 %, not below the threshold that raised it", () => {
    expect(through(70, 69, 55, 54.9).levels).toEqual([
      "throttle",
      "throttle",
      "throttle",
      "normal",
    ]);
  });

  it("P7: a higher level ends below the threshold of the one beneath it", () => {
    expect(through(95, 89, 85, 84, 70, 69, 54).levels).toEqual([
      ...["critical", "critical", "critical", "shed", "shed", "throttle", "normal"],
    ]);
    expect(through(95, 60).levels).toEqual(["critical", "throttle"]);
  });

  it("P7: each edge is told once, also when several are passed at once", () => {
    expect(through(50, 71, 72, 71).told).toEqual(["pressure_raised"]);
    expect(through(95, 95, 10, 10).told).toEqual([
      ...["pressure_raised", "memory_shedding", "memory_critical", "pressure_relieved"],
    ]);
    expect(through(86, 84, 86, 84, 86).told).toEqual(["pressure_raised", "memory_shedding"]);
  });

  it("P7: going down tells nothing before relief", () => {
    expect(through(95, 80, 60).told).toEqual([
      ...["pressure_raised", "memory_shedding", "memory_critical"],
    ]);
  });

  it("P7: a limit that is taken away is relief", () => {
    expect(through(95, undefined).levels).toEqual(["critical", "normal"]);
    expect(through(95, undefined).told.at(-1)).toBe("pressure_relieved");
    expect(through(undefined, undefined)).toEqual({ levels: ["normal", "normal"], told: [] });
  });

  it("P7: the events say percent and bytes", () => {
    const events = new RecordedEvents();
    const facts = { level: "shed", rssBytes: 860, limitBytes: 1_000, source: "setting" } as const;
    tellMemory("normal", facts, DEFAULT_SETTINGS, events);
    expect(events.named("pressure_raised")).toEqual([{ sensor: "memory", value: 86, limit: 70 }]);
    expect(events.named("memory_shedding")).toEqual([{ rss_bytes: 860, limit_bytes: 1_000 }]);
  });
});
