/**
 * Pressure control of one server process: its sensors, its governor and its loop.
 *
 *   spool meter ─▶ guard ─▶ gate ─▶ captures: go on, are slowed, wait, are refused
 *                    └────▶ trim, alert
 *   memory, stalls, loop delay, store ─▶ governor ─▶ pace of the ingester
 *   memory ─▶ gate: low priority
 *
 * Read this room in the order of one capture, each pure file before the one that acts on it:
 *   gate (the shape) → quota, early-drop → admission → spool-guard, own-appends → capture-gate,
 *   waiting-list, refusal, warning-limit; looking-gate and instant-gate stand in where no loop runs;
 * then in the order of one look:
 *   control-loop → memory-sensor (cgroup-files, memory-limit, memory-level, cpu-quota), stall-sensor
 *   (stalls), loop-delay → alarm → governor → hard-alert; measured-gate and ack-latency measure what
 *   came of it, and pressure-facts is what all others are told.
 *
 * Guarantees: decisions come from what was measured last, never from events, which only tell.
 * Before `start` nothing is measured. `start` and `stop` are idempotent.
 */
import type { Config } from "../config/settings.ts";
import type { Events, PressureSensor } from "../events/catalogue.ts";
import type { Timing } from "../platform/timing.ts";
import type { SpoolLook } from "../queue/spool-meter.ts";
import type { AckLatency } from "./ack-latency.ts";
import { Alarm } from "./alarm.ts";
import type { SystemRoots } from "./cgroup-files.ts";
import { ControlLoop, type Sensor } from "./control-loop.ts";
import type { Gate } from "./gate.ts";
import { FULL_PACE, type GovernorSettings, stepGovernor } from "./governor.ts";
import type { HardAlert } from "./hard-alert.ts";
import type { LoopDelay } from "./loop-delay.ts";
import type { MemorySettings } from "./memory-level.ts";
import type { OwnLimits } from "./memory-limit.ts";
import { MemorySensor } from "./memory-sensor.ts";
import type { MemoryLevel, PressureFacts } from "./pressure-facts.ts";
import type { SpoolGuard } from "./spool-guard.ts";
import { StallSensor } from "./stall-sensor.ts";

export type PressureSettings = MemorySettings &
  GovernorSettings &
  Pick<Config, "stall.pct" | "governor.loopDelayMs" | "governor.storeMs">;

/** What this process's ingester says of itself; nothing while another leads. */
export interface IngesterSigns {
  readonly isDraining: boolean;
  readonly lastBatchMs: number;
  /** Of the archive, what trimming had to leave. */
  readonly heldBackBytes: number;
}

export interface PressureParts {
  readonly settings: PressureSettings;
  readonly timing: Timing;
  readonly events: Events;
  readonly roots: SystemRoots;
  readonly ownLimits: OwnLimits;
  readonly rssBytes: () => number;
  readonly loopDelay: Pick<LoopDelay, "start" | "stop" | "look">;
  readonly threadTime: { start(): () => number; close(): void };
  readonly meter: { measure(): Promise<SpoolLook> };
  readonly guard: SpoolGuard;
  readonly gate: Pick<Gate, "inFlight" | "facts">;
  /** Of captures that passed the gate. */
  readonly latency: AckLatency;
  readonly hardAlert: HardAlert;
  readonly ingester: () => IngesterSigns | undefined;
  /** Tells the ingester its pace, a share from 0 to 1. */
  readonly pace: (share: number) => void;
  /** Tells the ingester that use is over the soft limit. */
  readonly trim: () => void;
}

const SPOOL_EVERY_MS = 50;
const MEMORY_EVERY_MS = 100;
const LIMITS_EVERY_MS = 30_000;
const SECOND_MS = 1_000;
const LOOP_RAISE_MS = 2_000;

export class Pressure {
  readonly #parts: PressureParts;
  readonly #memory: MemorySensor;
  readonly #stalls: StallSensor;
  readonly #loopAlarm: Alarm;
  readonly #storeAlarm: Alarm;
  readonly #loop: ControlLoop;
  #governor = FULL_PACE;
  #governorSinceMs: number;
  #loopDelayMs = 0;
  #isRunning = false;
  #hasLooked = false;

  constructor(parts: PressureParts) {
    const { settings, events, roots, timing } = parts;
    this.#parts = parts;
    this.#governorSinceMs = timing.clock.nowMs();
    this.#memory = new MemorySensor(parts);
    this.#stalls = new StallSensor({
      ...{ roots, events, limitPct: settings["stall.pct"] },
      directories: () => this.#memory.directories,
    });
    const alarm = (sensor: "loop" | "store", limit: number, raiseMs: number) =>
      new Alarm({ sensor, limit, raiseMs, events });
    this.#loopAlarm = alarm("loop", settings["governor.loopDelayMs"], LOOP_RAISE_MS);
    // A batch that took so long has lasted by itself.
    this.#storeAlarm = alarm("store", settings["governor.storeMs"], 0);
    this.#loop = new ControlLoop({
      ...{ timing, events },
      startCost: () => parts.threadTime.start(),
      sensors: this.#sensors(),
      isBusy: () => this.#isBusy(),
      isUrgent: () => this.#isUrgent(),
      decide: (nowMs) => this.#decide(nowMs),
    });
  }

  /** Whether the disk is looked at here; not before the first look has ended. */
  get isWatching(): boolean {
    return this.#isRunning && this.#hasLooked;
  }

  /** Of the last look. */
  get memoryLevel(): MemoryLevel {
    return this.#memory.facts.level;
  }

  start(): void {
    this.#isRunning = true;
    this.#parts.loopDelay.start();
    this.#loop.start();
  }

  /** A capture begins: the next look comes as it does when busy. Cheap. */
  hurry(): void {
    this.#loop.hurry();
  }

  /** Something may have gone from the disk: who waits for room need not wait for the next look. */
  roomMade(): void {
    if (this.#isUrgent()) this.#loop.ask("spool");
  }

  stop(): void {
    this.#isRunning = false;
    this.#loop.stop();
    this.#parts.loopDelay.stop();
    this.#parts.threadTime.close();
  }

  facts(): PressureFacts {
    const { p50Ms, p99Ms } = this.#parts.latency.percentiles(
      this.#parts.timing.clock.monotonicMs(),
    );
    const { state, sharePct, cause } = this.#governor;
    return {
      spool: this.#parts.guard.facts(),
      gate: this.#parts.gate.facts(),
      memory: this.#memory.facts,
      stall: this.#stalls.facts,
      loopDelayMs: this.#loopDelayMs,
      cpuQuota: this.#memory.cpuQuota,
      governor: { state, share: sharePct / 100, sinceMs: this.#governorSinceMs, cause },
      ackP50Ms: p50Ms,
      ackP99Ms: p99Ms,
    };
  }

  #sensors(): Sensor[] {
    const { meter, guard, ingester, trim } = this.#parts;
    return [
      {
        ...{ name: "spool", everyMs: SPOOL_EVERY_MS, hasBudget: true },
        look: async () => {
          const { usage, pendingUlids } = await meter.measure();
          guard.trimHeldBack(ingester()?.heldBackBytes ?? 0);
          guard.measured(usage, pendingUlids);
          this.#hasLooked = true;
          if (guard.facts().state !== "normal") trim();
        },
        onFailed: () => guard.lookFailed(),
      },
      {
        ...{ name: "memory", everyMs: LIMITS_EVERY_MS },
        look: () => this.#memory.lookAtLimits(),
      },
      { ...{ name: "memory", everyMs: MEMORY_EVERY_MS }, look: () => this.#memory.look() },
      { ...{ name: "stall", everyMs: SECOND_MS }, look: (nowMs) => this.#stalls.look(nowMs) },
      {
        ...{ name: "loop", everyMs: SECOND_MS },
        look: (nowMs) => {
          this.#loopDelayMs = this.#parts.loopDelay.look();
          this.#loopAlarm.measured(this.#loopDelayMs, nowMs);
        },
      },
      {
        ...{ name: "store", everyMs: 0 },
        look: (nowMs) => {
          const signs = ingester();
          // The last batch of a drain that is over says nothing of the store now.
          this.#storeAlarm.measured(signs?.isDraining ? signs.lastBatchMs : 0, nowMs);
        },
      },
    ];
  }

  /** The gravest first. */
  #pressed(): PressureSensor[] {
    const pressed: Record<PressureSensor, boolean> = {
      memory: this.#memory.facts.level !== "normal",
      stall: this.#stalls.pressed,
      loop: this.#loopAlarm.pressed,
      store: this.#storeAlarm.pressed,
    };
    return (Object.keys(pressed) as PressureSensor[]).filter((sensor) => pressed[sensor]);
  }

  #isBusy(): boolean {
    if (this.#parts.gate.inFlight > 0 || this.#governor.state !== "normal") return true;
    return this.#parts.guard.facts().state !== "normal" || this.#pressed().length > 0;
  }

  #isUrgent(): boolean {
    const { guard, gate } = this.#parts;
    return guard.facts().state !== "normal" || gate.facts().waiting > 0;
  }

  #decide(nowMs: number): void {
    const { settings, events, guard, hardAlert, pace, timing } = this.#parts;
    const { next, changed } = stepGovernor(this.#governor, this.#pressed(), nowMs, settings);
    if (changed) {
      if (changed.from !== changed.to) this.#governorSinceMs = timing.clock.nowMs();
      this.#governor = next;
      pace(next.sharePct / 100);
      events.emit("governor_changed", changed);
    }
    const spool = guard.facts();
    if (spool.usage !== undefined) hardAlert.update(spool);
  }
}
