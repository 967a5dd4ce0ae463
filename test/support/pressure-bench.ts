/** Pressure control of a server with every sensor in a test's hands, in time that a test moves. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { AckLatency } from "../../src/pressure/ack-latency.ts";
import { CaptureGate } from "../../src/pressure/capture-gate.ts";
import type { SystemRoots } from "../../src/pressure/cgroup-files.ts";
import type { Gate } from "../../src/pressure/gate.ts";
import { HardAlert } from "../../src/pressure/hard-alert.ts";
import { measuredGate } from "../../src/pressure/measured-gate.ts";
import {
  type IngesterSigns,
  Pressure,
  type PressureSettings,
} from "../../src/pressure/pressure.ts";
import type { SpoolLimits } from "../../src/pressure/quota.ts";
import { SpoolGuard } from "../../src/pressure/spool-guard.ts";
import type { SpoolLook } from "../../src/queue/spool-meter.ts";
import type { SpoolUsage } from "../../src/queue/spool-usage.ts";
import { DEFAULT_SETTINGS } from "./default-settings.ts";
import { freshDirectory } from "./fresh-directory.ts";
import { until } from "./ingest-bench.ts";
import { ManualTime } from "./manual-time.ts";
import { usageOf } from "./pressure-facts.ts";
import { RecordedEvents } from "./recorded-events.ts";

export const COOL_DOWN_MS = DEFAULT_SETTINGS["governor.coolDownMs"];
export const QUOTA_BYTES = 2_000_000;
const LIMIT_BYTES = 1_000;

const LIMITS: SpoolLimits = {
  ...{ quotaBytes: QUOTA_BYTES, softPct: 90, hardPct: 100 },
  ...{ freeBytesMin: 0, freeInodesMin: 0 },
};

export class PressureBench {
  readonly home = freshDirectory();
  readonly time = new ManualTime();
  readonly events = new RecordedEvents();
  readonly paces: number[] = [];
  readonly pressure: Pressure;
  readonly gate: Gate;
  trims = 0;
  /** Of each look, on this thread. */
  lookCostMs = 0;
  /** Captures that wait, beside those that do. */
  waiting = 0;
  /** Percent of the memory limit. */
  memoryPct = 10;
  loopDelayMs = 0;
  signs: IngesterSigns | undefined;
  usage: Partial<SpoolUsage> = {};
  measure: () => Promise<SpoolLook> = async () => this.look();

  /** @param roots of the kernel's files; without them nothing is there */
  constructor(
    roots: SystemRoots = { proc: "/nowhere", sys: "/nowhere" },
    settings: PressureSettings = DEFAULT_SETTINGS,
  ) {
    const { events, time } = this;
    const guard = new SpoolGuard({ clock: time.clock, events, limits: LIMITS });
    const gate = new CaptureGate({
      ...{ guard, events, timing: time, maxRecords: 100, random: () => 0.99 },
      memoryLevel: () => this.pressure.memoryLevel,
      settings: {
        ...{ delayMs: 300, waitMs: 2_000, waitRecords: 64, waitBytes: 1_000_000 },
        earlyDrop: { fromPct: 60, refusePct: 30 },
      },
    });
    const latency = new AckLatency();
    const onEnter = () => this.pressure.hurry();
    this.gate = measuredGate(gate, { clock: time.clock, latency, onEnter });
    this.pressure = new Pressure({
      ...{ settings, roots, timing: time, events, guard, latency },
      gate: this.#watchedGate(),
      ownLimits: { heapBytes: 0, settingBytes: LIMIT_BYTES, totalBytes: 1_000_000 },
      rssBytes: () => (this.memoryPct / 100) * LIMIT_BYTES,
      loopDelay: { start: () => {}, stop: () => {}, look: () => this.loopDelayMs },
      threadTime: { start: () => () => this.lookCostMs, close: () => {} },
      meter: { measure: () => this.measure() },
      hardAlert: new HardAlert({
        ...{ fs: nodeDurableFsSync, alertsDir: join(this.home, "alerts") },
        ...{ clock: time.clock, events },
      }),
      ingester: () => this.signs,
      pace: (share) => this.paces.push(share),
      trim: () => this.trims++,
    });
    onTestFinished(() => {
      this.gate.close();
      this.pressure.stop();
    });
  }

  /** Starts, and waits until the limits are known, which takes real reads. */
  async started(): Promise<this> {
    this.pressure.start();
    await until(async () => {
      await this.pass(1_000);
      if (this.pressure.facts().memory.limitBytes === undefined) throw new Error("not yet");
    });
    return this;
  }

  /** Moves on in steps, with what promises do in between. */
  async pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 50) {
      this.time.advance(50);
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    }
  }

  #watchedGate(): Pick<Gate, "inFlight" | "facts"> {
    const { gate } = this;
    const waiting = () => gate.facts().waiting + this.waiting;
    return {
      get inFlight() {
        return gate.inFlight;
      },
      facts: () => ({ ...gate.facts(), waiting: waiting() }),
    };
  }

  look(): SpoolLook {
    const usage = usageOf({ atMs: this.time.clock.monotonicMs(), ...this.usage });
    return { usage, pendingUlids: new Set() };
  }
}
