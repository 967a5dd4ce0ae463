/**
 * The control loop of a process that serves: its sensors and governor, built from the settings and
 * from what can be measured here. Loaded when it is started; building it measures nothing.
 */
import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import type { DataPaths } from "../config/data-paths.ts";
import type { Config } from "../config/settings.ts";
import type { Events } from "../events/catalogue.ts";
import type { IngestHost } from "../ingest/ingest-host.ts";
import { nodeDurableFsSync } from "../platform/durable-fs-sync.ts";
import { ThreadTime } from "../platform/thread-time.ts";
import { systemTiming } from "../platform/timing.ts";
import type { AckLatency } from "../pressure/ack-latency.ts";
import { systemRoots } from "../pressure/cgroup-files.ts";
import { HardAlert } from "../pressure/hard-alert.ts";
import { LoopDelay } from "../pressure/loop-delay.ts";
import { type IngesterSigns, Pressure } from "../pressure/pressure.ts";
import type { GateHere } from "./gate-here.ts";

export interface ControlLoopHereParts extends GateHere {
  readonly config: Config;
  readonly paths: Pick<DataPaths, "alertsDir">;
  readonly events: Events;
  readonly latency: AckLatency;
  /** The ingester, where this process leads. */
  readonly host: Pick<IngestHost, "report" | "pace" | "trim">;
}

export function controlLoopHere(parts: ControlLoopHereParts): Pressure {
  const { config, paths, events, host } = parts;
  const { clock } = systemTiming;
  return new Pressure({
    ...parts,
    settings: config,
    timing: systemTiming,
    roots: systemRoots,
    ownLimits: {
      heapBytes: getHeapStatistics().heap_size_limit,
      settingBytes: config["memory.limitBytes"],
      totalBytes: totalmem(),
    },
    rssBytes: () => process.memoryUsage.rss(),
    loopDelay: new LoopDelay(),
    threadTime: new ThreadTime(systemRoots.proc),
    hardAlert: new HardAlert({ fs: nodeDurableFsSync, alertsDir: paths.alertsDir, clock, events }),
    ingester: () => ingesterSigns(host),
    pace: (share) => host.pace(share),
    trim: () => host.trim(),
  });
}

function ingesterSigns({ report }: Pick<IngestHost, "report">): IngesterSigns | undefined {
  if (report === undefined) return undefined;
  return {
    isDraining: report.state === "draining",
    lastBatchMs: report.lastBatch?.ms ?? 0,
    heldBackBytes: report.trim?.heldBack ?? 0,
  };
}
