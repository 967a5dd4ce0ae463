/**
 * Watches pressure stall information, where the system has it.
 *
 * Guarantees: a system without it is told once and asked again only every UNKNOWN_MS; the other
 * sensors go on. What was known and can not be read any more is no pressure.
 */
import type { Events } from "../events/catalogue.ts";
import { Alarm } from "./alarm.ts";
import type { CgroupDirectories, SystemRoots } from "./cgroup-files.ts";
import type { StallFacts } from "./pressure-facts.ts";
import { NO_STALLS, readStalls, stallPct } from "./stalls.ts";

const STALL_RAISE_MS = 2_000;
const UNKNOWN_MS = 30_000;

export interface StallSensorParts {
  readonly roots: SystemRoots;
  readonly directories: () => CgroupDirectories;
  /** Percent of time. */
  readonly limitPct: number;
  readonly events: Events;
}

export class StallSensor {
  readonly #parts: StallSensorParts;
  readonly #alarm: Alarm;
  #facts = NO_STALLS;
  #told = false;
  #askAgainMs = Number.NEGATIVE_INFINITY;

  constructor(parts: StallSensorParts) {
    const { limitPct: limit, events } = parts;
    this.#parts = parts;
    this.#alarm = new Alarm({ sensor: "stall", limit, raiseMs: STALL_RAISE_MS, events });
  }

  get facts(): StallFacts {
    return this.#facts;
  }

  get pressed(): boolean {
    return this.#alarm.pressed;
  }

  async look(nowMs: number): Promise<void> {
    if (nowMs < this.#askAgainMs) return;
    const reading = await readStalls(this.#parts.roots, this.#parts.directories());
    this.#facts = "stalls" in reading ? reading.stalls : NO_STALLS;
    this.#alarm.measured(stallPct(this.#facts), nowMs);
    if (!("errno" in reading)) return;
    // A pressure that was there must be seen to be over first.
    if (!this.#alarm.pressed) this.#askAgainMs = nowMs + UNKNOWN_MS;
    if (this.#told) return;
    this.#told = true;
    this.#parts.events.emit("stalls_unknown", { errno: reading.errno });
  }
}
