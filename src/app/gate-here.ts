/** The gate before every capture of this process, with the parts that it measures by. */
import type { Config } from "../config/settings.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import { errnoOf } from "../platform/errno.ts";
import { keepingTiming } from "../platform/timing.ts";
import type { GateSettings } from "../pressure/admission.ts";
import { CaptureGate } from "../pressure/capture-gate.ts";
import type { Gate } from "../pressure/gate.ts";
import { LookingGate } from "../pressure/looking-gate.ts";
import type { MemoryLevel } from "../pressure/pressure-facts.ts";
import { spoolLimits } from "../pressure/quota.ts";
import { SpoolGuard } from "../pressure/spool-guard.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { SpoolMeter } from "../queue/spool-meter.ts";

export interface GateHereParts {
  readonly config: Config;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  readonly memoryLevel: () => MemoryLevel;
  /** Whether a control loop measures, so that the gate need not. */
  readonly isWatched: () => boolean;
}

export interface GateHere {
  readonly gate: Gate;
  readonly guard: SpoolGuard;
  readonly meter: SpoolMeter;
}

/** Building it looks at nothing. */
export function gateHere(parts: GateHereParts): GateHere {
  const { config, layout, clock, events, memoryLevel, isWatched } = parts;
  const guard = new SpoolGuard({ clock, events, limits: spoolLimits(config) });
  const meter = new SpoolMeter({ fs: nodeDurableFs, layout, clock });
  const gate = new CaptureGate({
    ...{ guard, events, memoryLevel },
    settings: gateSettings(config),
    maxRecords: config["queue.maxRecords"],
    timing: keepingTiming,
    random: Math.random,
  });
  let isTold = false;
  const onFailed = (error: unknown) => {
    if (isTold) return;
    isTold = true;
    events.emit("sensor_failed", { sensor: "spool", errno: errnoOf(error) ?? "unknown" });
  };
  const looking = new LookingGate({
    ...{ gate, guard, isWatched, onFailed },
    measure: () => meter.measure(),
    timing: keepingTiming,
  });
  return { gate: looking, guard, meter };
}

function gateSettings(config: Config): GateSettings {
  return {
    delayMs: config["spool.delayMs"],
    waitMs: config["spool.waitMs"],
    waitRecords: config["spool.waitRecords"],
    waitBytes: config["spool.waitBytes"],
    earlyDrop: { fromPct: config["earlyDrop.fromPct"], refusePct: config["earlyDrop.refusePct"] },
  };
}
