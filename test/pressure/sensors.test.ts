/** P7, P8: the sensors that keep what they measured. */
import { describe, expect, it } from "vitest";
import { MemorySensor } from "../../src/pressure/memory-sensor.ts";
import { StallSensor } from "../../src/pressure/stall-sensor.ts";
import { DEFAULT_SETTINGS } from "../support/default-settings.ts";
import { RecordedEvents } from "../support/recorded-events.ts";
import { systemFiles } from "../support/system-files.ts";

const MIB = 1_048_576;
const NO_DIRECTORIES = { unified: [], memoryV1: [], cpuV1: [] };

function psi(pct: number): string {
  return `some avg10=${pct.toFixed(2)} avg60=0.00 avg300=0.00 total=1\n`;
}

describe("the memory sensor", () => {
  it("P7: a limit that changes while the process runs is seen at the next look at limits", async () => {
    const roots = systemFiles({
      "proc/self/cgroup": "0::/app\n",
      "sys/fs/cgroup/app/memory.max": "max\n",
      "sys/fs/cgroup/app/cpu.max": "50000 100000\n",
    });
    const events = new RecordedEvents();
    const sensor = new MemorySensor({
      ...{ roots, events, settings: DEFAULT_SETTINGS, rssBytes: () => 90 * MIB },
      ownLimits: { heapBytes: 0, settingBytes: 0, totalBytes: 8_000 * MIB },
    });
    sensor.look();
    expect(sensor.facts).toMatchObject({ level: "normal", limitBytes: undefined });
    await sensor.lookAtLimits();
    expect(sensor.cpuQuota).toBe(0.5);
    sensor.look();
    expect(sensor.facts).toMatchObject({ level: "normal", rssBytes: 90 * MIB });
    roots.write("sys/fs/cgroup/app/memory.max", `${100 * MIB}\n`);
    await sensor.lookAtLimits();
    sensor.look();
    sensor.look();
    expect(sensor.facts).toEqual({
      ...{ level: "critical", rssBytes: 90 * MIB, limitBytes: 100 * MIB, source: "cgroup v2" },
    });
    roots.write("sys/fs/cgroup/app/memory.max", "max\n");
    await sensor.lookAtLimits();
    sensor.look();
    expect(events.all.map(({ event }) => event)).toEqual([
      ...["pressure_raised", "memory_shedding", "memory_critical", "pressure_relieved"],
    ]);
  });
});

describe("the stall sensor", () => {
  it("P8: a fifth of the time for 2 s is pressure, and relief is told", async () => {
    const roots = systemFiles({ "proc/pressure/io": psi(20) });
    const events = new RecordedEvents();
    const directories = () => NO_DIRECTORIES;
    const sensor = new StallSensor({ roots, directories, limitPct: 20, events });
    for (const nowMs of [0, 1_000]) await sensor.look(nowMs);
    expect(sensor.pressed).toBe(false);
    await sensor.look(2_000);
    expect(sensor.pressed).toBe(true);
    expect(sensor.facts).toEqual({ known: true, cpu: 0, memory: 0, io: 20 });
    roots.write("proc/pressure/io", psi(19.99));
    for (const nowMs of [3_000, 4_000, 5_000]) await sensor.look(nowMs);
    expect(sensor.pressed).toBe(false);
    expect(events.all.map(({ event }) => event)).toEqual(["pressure_raised", "pressure_relieved"]);
  });

  it("P8: a processor that everybody waits for is no pressure by itself", async () => {
    const roots = systemFiles({ "proc/pressure/cpu": psi(95), "proc/pressure/io": psi(1) });
    const events = new RecordedEvents();
    const directories = () => NO_DIRECTORIES;
    const sensor = new StallSensor({ roots, directories, limitPct: 20, events });
    for (let nowMs = 0; nowMs < 20_000; nowMs += 1_000) await sensor.look(nowMs);
    expect(sensor.facts.cpu).toBe(95);
    expect([sensor.pressed, events.all]).toEqual([false, []]);
  });

  it("P8: absent or garbage is one info event and no more, and it is found when it comes", async () => {
    for (const text of [undefined, "", "no such thing\n"]) {
      const roots = systemFiles(text === undefined ? {} : { "proc/pressure/memory": text });
      const events = new RecordedEvents();
      const directories = () => NO_DIRECTORIES;
      const sensor = new StallSensor({ roots, directories, limitPct: 20, events });
      for (let nowMs = 0; nowMs < 200_000; nowMs += 1_000) await sensor.look(nowMs);
      expect(events.all.map(({ event }) => event)).toEqual(["stalls_unknown"]);
      expect(sensor.facts.known).toBe(false);
      roots.write("proc/pressure/memory", psi(50));
      for (let nowMs = 300_000; nowMs < 303_000; nowMs += 1_000) await sensor.look(nowMs);
      expect(sensor.pressed).toBe(true);
      // What can not be read any more is no pressure, after the 2 s of every relief.
      roots.write("proc/pressure/memory", "");
      for (let nowMs = 303_000; nowMs <= 305_000; nowMs += 1_000) await sensor.look(nowMs);
      expect(sensor.pressed).toBe(false);
      expect(events.named("stalls_unknown")).toHaveLength(1);
    }
  });
});
