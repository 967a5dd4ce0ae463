/** P8: pressure stall information, from files as the kernel writes them, and its alarm. */
import { describe, expect, it } from "vitest";
import { Alarm } from "../../src/pressure/alarm.ts";
import { cgroupDirectories, type SystemRoots } from "../../src/pressure/cgroup-files.ts";
import { LoopDelay } from "../../src/pressure/loop-delay.ts";
import { readStalls, someAvg10, stallPct } from "../../src/pressure/stalls.ts";
import { RecordedEvents } from "../support/recorded-events.ts";
import { systemFiles } from "../support/system-files.ts";

/** A file of /proc/pressure; `full` is there to be passed over. */
function psi(some: number): string {
  const line = (kind: string, pct: number) =>
    `${kind} avg10=${pct.toFixed(2)} avg60=77.00 avg300=88.00 total=5465\n`;
  return line("some", some) + line("full", 99);
}

const SYSTEM = {
  "proc/pressure/cpu": psi(61.5),
  "proc/pressure/memory": psi(20),
  "proc/pressure/io": psi(0.41),
};

async function read(roots: SystemRoots) {
  return readStalls(roots, await cgroupDirectories(roots));
}

function alarm(raiseMs = 2_000) {
  const events = new RecordedEvents();
  const it = new Alarm({ sensor: "stall", limit: 20, raiseMs, events });
  let nowMs = 0;
  return {
    events,
    /** Measures the value once a second for so long; says whether it is pressed then. */
    hold: (value: number, seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        it.measured(value, nowMs);
        nowMs += 1_000;
      }
      return it.pressed;
    },
    told: () => events.all.map(({ event }) => event),
  };
}

describe("pressure stall information", () => {
  it("P8: reading PSI's 0–100 as 0–1", async () => {
    const reading = await read(systemFiles(SYSTEM));
    expect(reading).toEqual({ stalls: { known: true, cpu: 61.5, memory: 20, io: 0.41 } });
    // Less than half a percent of waiting for the disk is nothing, and twenty is the threshold.
    const { hold, told } = alarm();
    expect(hold(0.41, 60)).toBe(false);
    expect(hold(19.9, 60)).toBe(false);
    expect(told()).toEqual([]);
    expect(hold(20, 60)).toBe(true);
  });

  it("P8: only `some avg10` is read, and only as the kernel writes it", () => {
    expect(someAvg10("some avg10=1.50 avg60=9.00 avg300=9.00 total=1\n")).toBe(1.5);
    expect(someAvg10("some avg10=100.00 avg60=9.00 avg300=9.00 total=1\n")).toBe(100);
    const garbage = [
      "",
      "\0",
      "some",
      "full avg10=5.00 avg60=1.00\n",
      "some avg60=5.00 avg10=5.00\n",
    ];
    const absurd = [
      "some avg10=100.01 a",
      "some avg10=-1.00 a",
      "some avg10=1e2 a",
      "some avg10= a",
    ];
    for (const text of [...garbage, ...absurd]) expect(someAvg10(text), text).toBeUndefined();
  });

  it("P8: what counts is memory and io; waiting for a CPU is shown only", () => {
    expect(stallPct({ known: true, cpu: 90, memory: 3, io: 7 })).toBe(7);
    expect(stallPct({ known: true, cpu: 90, memory: 8, io: 7 })).toBe(8);
  });

  it("P8: the own cgroup's files come before the system's, in a container too", async () => {
    const own = systemFiles({
      ...SYSTEM,
      "proc/self/cgroup": "0::/app.scope\n",
      "sys/fs/cgroup/app.scope/memory.pressure": psi(33),
    });
    expect(await read(own)).toEqual({ stalls: { known: true, cpu: 61.5, memory: 33, io: 0.41 } });
    const container = systemFiles({
      ...SYSTEM,
      "proc/self/cgroup": "0::/docker/abc\n",
      "sys/fs/cgroup/io.pressure": psi(44),
    });
    expect(await read(container)).toMatchObject({ stalls: { io: 44, memory: 20 } });
  });

  it("P8: absent or garbage, it is unknown, with a reason", async () => {
    expect(await read(systemFiles({}))).toEqual({ errno: "ENOENT" });
    const garbage = {
      "proc/pressure/cpu": "x",
      "proc/pressure/memory": "",
      "proc/pressure/io": "\0",
    };
    expect(await read(systemFiles(garbage))).toEqual({ errno: "EBADMSG" });
    const one = await read(systemFiles({ "proc/pressure/io": psi(5) }));
    expect(one).toEqual({ stalls: { known: true, cpu: 0, memory: 0, io: 5 } });
  });
});

describe("the alarm of a sensor", () => {
  it("P8: is raised when the threshold was held for 2 s, and not by a peak", () => {
    const { hold, told } = alarm();
    expect(hold(50, 2)).toBe(false);
    expect(hold(0, 1)).toBe(false);
    expect(hold(50, 2)).toBe(false);
    expect(told()).toEqual([]);
    expect(hold(50, 1)).toBe(true);
    expect(told()).toEqual(["pressure_raised"]);
  });

  it("P8: relief is told once, after 2 s below the threshold", () => {
    const { hold, events, told } = alarm();
    hold(50, 10);
    expect(hold(19, 2)).toBe(true);
    expect(hold(19, 1)).toBe(false);
    hold(19, 10);
    expect(told()).toEqual(["pressure_raised", "pressure_relieved"]);
    expect(events.named("pressure_relieved")).toEqual([{ sensor: "stall", value: 19, limit: 20 }]);
  });

  it("P8: one alert a minute, and acts upon what it does not tell", () => {
    const { hold, told } = alarm();
    for (let round = 0; round < 10; round++) {
      expect(hold(50, 3)).toBe(true);
      expect(hold(0, 3)).toBe(false);
    }
    // 60 s in all: the next minute has just begun.
    expect(told()).toEqual(["pressure_raised", "pressure_relieved"]);
    hold(50, 6);
    expect(told()).toEqual(["pressure_raised", "pressure_relieved", "pressure_raised"]);
  });

  it("P9: without a time to hold, one measurement raises it", () => {
    const { hold } = alarm(0);
    expect(hold(20, 1)).toBe(true);
  });
});

describe("the event loop's delay", () => {
  it("P8: is 0 before the start, and shows a blocked loop at the next look", async () => {
    const delay = new LoopDelay();
    expect(delay.look()).toBe(0);
    delay.start();
    await sampled();
    delay.look();
    await sampled();
    block(200);
    await sampled();
    expect(delay.look()).toBeGreaterThan(60);
    delay.stop();
  });

  it("P8: a loop that is blocked from look to look is not taken for an idle one", async () => {
    const delay = new LoopDelay();
    delay.start();
    await sampled();
    block(200);
    await sampled();
    const delayMs = delay.look();
    block(200);
    expect(delay.look()).toBe(delayMs);
    delay.stop();
  });
});

/** Time enough for samples to be taken. */
function sampled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 120));
}

function block(ms: number): void {
  for (const untilMs = performance.now() + ms; performance.now() < untilMs; );
}
