/**
 * The composition root: the one place that builds the parts and puts them together.
 *
 * Guarantees: building opens no file and no database; both happen when first used. `close` is
 * idempotent and bounded.
 */
import { existsSync } from "node:fs";
import type { RestoreOptions, RestoreResult } from "./app/backup-here.ts";
import type { Diagnosis } from "./app/diagnose.ts";
import { flightHere } from "./app/flight-here.ts";
import { refuseHalfRestored } from "./app/half-restored.ts";
import { healthHere } from "./app/health-here.ts";
import { ingestWorkerData } from "./app/ingest-worker-data.ts";
import { openEventHub } from "./app/open-event-hub.ts";
import { pressureHere } from "./app/pressure-here.ts";
import { pressureSeen } from "./app/pressure-seen.ts";
import { queueViews } from "./app/queue-views.ts";
import type { RunRebuildOptions } from "./app/run-rebuild.ts";
import { type Transfers, transfers } from "./app/transfers.ts";
import { type DataPaths, dataPaths } from "./config/data-paths.ts";
import type { Config } from "./config/settings.ts";
import { MemspoolError } from "./errors.ts";
import type { Events } from "./events/catalogue.ts";
import { hookCounts } from "./hooks/hook-trace.ts";
import { hooksDirectory } from "./hooks/hooks-directory.ts";
import type { DrainOptions, DrainResult } from "./ingest/drain-here.ts";
import type { ForgetHereOptions } from "./ingest/forget-here.ts";
import { IngestHost } from "./ingest/ingest-host.ts";
import { ingesterView } from "./ingest/ingester-view.ts";
import { ChangeSignal } from "./memory/change-signal.ts";
import { createMemory } from "./memory/create-memory.ts";
import { gatedQueue } from "./memory/gated-queue.ts";
import type { ForgetInput, ForgetResult, Memory } from "./memory/memory.ts";
import { Privacy, privacySettings } from "./memory/privacy/privacy.ts";
import { privateQueue } from "./memory/privacy/private-queue.ts";
import type { RebuildResult } from "./memory/rebuild/rebuild-result.ts";
import type { VerifyOptions, VerifyReport } from "./memory/verify/report.ts";
import { systemClock } from "./platform/clock.ts";
import { nodeDurableFs } from "./platform/durable-fs.ts";
import { nodeDurableFsSync } from "./platform/durable-fs-sync.ts";
import { endDespiteStuckThreads } from "./platform/stuck-threads.ts";
import type { MemoryLimit } from "./pressure/memory-limit.ts";
import { CaptureQueue } from "./queue/capture-queue.ts";
import { ensureQueueDirectories } from "./queue/directories.ts";
import type { QueueLayout } from "./queue/layout.ts";
import { StoreClient } from "./store/store-client.ts";
import { storeWorkerAt } from "./store/store-worker-handle.ts";
import { emptyUntilMade } from "./store/unmade-store.ts";

export type { RunRebuildOptions } from "./app/run-rebuild.ts";
export type { DrainOptions, DrainResult } from "./ingest/drain-here.ts";

export interface App extends Transfers {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly memory: Memory;
  readonly events: Events;
  /** Records what happens here, and reports what nobody catches, until the end (server only). */
  startFlight(): void;
  /** Looks at what presses from now on (server only). */
  startPressure(): void;
  /** Starts electing and ingesting in the background (server only). */
  startIngest(): void;
  /** From now on no capture waits for room: who does is refused. */
  stopWaiting(): void;
  /** Lets the batch in hand finish and gives the lease back. */
  stopIngest(): Promise<void>;
  /** Drains until the queue is empty: here, or through the process that leads. */
  drain(options: DrainOptions): Promise<DrainResult>;
  /** Purges records for good: here, or through the process that leads. As Memory.forget. */
  forget(input: ForgetInput, options: ForgetHereOptions): Promise<ForgetResult>;
  /** Makes the store anew from what can be read, and swaps it in. LEASE_HELD, REBUILD_INCOMPLETE. */
  rebuild(options: RunRebuildOptions): Promise<RebuildResult>;
  /** Recounts everything that was ever acknowledged. Reads only. */
  verify(options: VerifyOptions): Promise<VerifyReport>;
  /** Of a process like this one; undefined where nothing limits it. */
  memoryLimit(): Promise<MemoryLimit | undefined>;
  /** Sizes, counts, limits and versions, for whoever helps. Reads only. */
  diagnose(): Promise<Diagnosis>;
  /** Idempotent; bounded by 3 s. */
  close(): Promise<void>;
}

export interface AppOptions {
  /** Whether the log may go to standard error; a log file is always written. */
  readonly logToStderr?: boolean;
}

/**
 * @throws MemspoolError CONFIG_INVALID or UNSAFE_PATH if the log file can not be used;
 *   DATA_DIR_UNUSABLE if a restore was cut short
 */
export async function createApp(config: Config, options: AppOptions = {}): Promise<App> {
  const paths = dataPaths(config.home);
  refuseHalfRestored(paths.home);
  const clock = systemClock;
  const events = await openEventHub(config, paths, options);
  const changes = new ChangeSignal();
  const flight = flightHere({
    ...{ hub: events, clock, paths },
    onSignal: () => changes.changed(),
    ingested: () => host.report?.totals.ingested,
    pressure: () => pressure.facts(),
  });
  const queue = new CaptureQueue({
    queueDir: paths.queueDir,
    textBytesMax: config["record.maxBytes"],
    attemptsMax: config["queue.maxAttempts"],
    maxSize: config["queue.maxRecords"],
    overflow: config["queue.overflow"],
    alertsDir: paths.alertsDir,
    events,
    clock,
  });
  const { layout } = queue;
  const privacy = new Privacy(privacySettings(config));
  const hooks = () => hookCounts(hooksDirectory(paths.home));
  const storeExists = () => existsSync(paths.storeFile);
  const startStoreWorker = storeWorkerAt(
    workerUrl("store-worker"),
    { file: paths.storeFile },
    flight.onThreadError("store"),
  );
  const client = new StoreClient({ startWorker: startStoreWorker, events });
  const store = emptyUntilMade(storeExists, client);
  const shared = { layout, clock, events, fs: nodeDurableFsSync };
  const workerData = ingestWorkerData(config, paths);
  const host = new IngestHost({
    ...shared,
    workerUrl: workerUrl("ingest-worker"),
    workerData,
    onReport: () => {
      changes.changed();
      pressure.ingesterReported();
    },
    onWorkerError: flight.onThreadError("ingester"),
  });
  const pressure = pressureHere({ config, paths, layout, clock, events, host });
  const { gate } = pressure;
  const ingester = () => ingesterView(nodeDurableFs, layout, host, clock.nowMs());
  const memory = createMemory(
    {
      ...{ queue, gate },
      ...queueViews(layout, clock),
      maxRecords: config["queue.maxRecords"],
      overflow: config["queue.overflow"],
      store,
      storeExists: async () => storeExists(),
      fs: nodeDurableFs,
      fsSync: nodeDurableFsSync,
      clock,
      events,
      dataDir: paths.home,
      storeFile: paths.storeFile,
      project: config.project,
      version: MEMSPOOL_VERSION,
      startedAtMs: clock.nowMs(),
      ingester,
      pressure: pressureSeen({
        ...{ config, layout, clock, ingester, runDir: paths.runDir },
        ownFacts: pressure.facts,
        ownSignals: () => flight.report().signals,
      }),
      askToDrain: () => host.flush(),
      health: () => health(),
      privacy,
      retention: workerData.retention,
      hooks,
      flight: flight.report,
      onCaptured: () => {
        host.wake();
        changes.changed();
      },
    },
    changes,
  );
  const found = async () => {
    const { foundLimits } = await import("./app/found-limits.ts");
    return foundLimits(config);
  };
  const memoryLimit = async () => (await found()).memory;
  const health = () => healthHere({ config, paths, layout, store, memory, memoryLimit, hooks });
  const drain = async (drainOptions: DrainOptions): Promise<DrainResult> => {
    const { drainHere } = await import("./ingest/drain-here.ts");
    return drainHere({ ...shared, ...workerData, memory }, drainOptions);
  };
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    changes.close();
    flight.stop();
    pressure.stop();
    await Promise.all([queue.close(), host.stop(), store.close()]);
  };
  const { storeFile, transcriptsDir } = paths;
  const gated = gatedQueue(queue, gate);
  const transferParts = {
    ...{ config, layout, clock, storeFile, transcriptsDir, store, memory, privacy },
    rawQueue: gated,
    queue: privateQueue(gated, privacy),
  };
  return Object.freeze({
    ...transfers({ ...transferParts, drain, events }),
    config,
    paths,
    memory,
    events,
    startFlight: () => flight.start(process),
    startPressure: () => pressure.start(),
    startIngest: () => {
      if (!config["ingest.enabled"]) return;
      prepareDirectories(layout);
      host.start();
    },
    stopWaiting: () => pressure.stop(),
    stopIngest: () => host.stop(),
    drain,
    forget: async (input: ForgetInput, forgetOptions: ForgetHereOptions) => {
      const { forgetHere } = await import("./app/forget-here.ts");
      return forgetHere({ ...shared, ...workerData, memory }, input, forgetOptions);
    },
    rebuild: async (rebuildOptions: RunRebuildOptions) => {
      const { runRebuild } = await import("./app/run-rebuild.ts");
      return runRebuild({ ...shared, storeFile, readFs: nodeDurableFs }, rebuildOptions);
    },
    memoryLimit,
    diagnose: async () => {
      const { diagnose } = await import("./app/diagnose.ts");
      const { doneDir } = layout;
      return diagnose({ fs: nodeDurableFs, doneDir, found, status: () => memory.status() });
    },
    verify: async (verifyOptions: VerifyOptions) => {
      const { verifyHere } = await import("./app/verify-here.ts");
      return verifyHere({ layout, clock, storeExists, startStoreWorker, events }, verifyOptions);
    },
    close: () => {
      closing ??= close();
      return closing;
    },
  });
}

/** `memspool serve`: runs until the client leaves; resolves to the exit code. */
export async function serve(config: Config): Promise<number> {
  const app = await createApp(config, { logToStderr: true });
  app.startFlight();
  const { serveStdio } = await import("./server/serve-stdio.ts");
  const startWorking = () => {
    app.startPressure();
    app.startIngest();
  };
  // A client that never initialises must not keep old records waiting.
  const late = setTimeout(startWorking, INITIALIZE_WAIT_MS);
  late.unref();
  const exitCode = await serveStdio({
    memory: app.memory,
    events: app.events,
    version: MEMSPOOL_VERSION,
    onInitialized: startWorking,
    onLeaving: () => {
      clearTimeout(late);
      app.stopWaiting();
      void app.stopIngest();
    },
    close: () => app.close(),
  });
  endDespiteStuckThreads();
  return exitCode;
}

/** `memspool restore`. Opens nothing in the data directory itself, which may be half restored. */
export async function restore(
  config: Config,
  backup: string,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const { restoreHere } = await import("./app/backup-here.ts");
  return restoreHere(config, backup, options);
}

const INITIALIZE_WAIT_MS = 2_000;

/** The lease needs its directory; without one the first election would wait for a capture. */
function prepareDirectories(layout: QueueLayout): void {
  try {
    ensureQueueDirectories(nodeDurableFsSync, layout);
  } catch (error) {
    // Every capture and the doctor say what is wrong; election goes on trying.
    if (!(error instanceof MemspoolError)) throw error;
  }
}

/** The built worker beside this file, or in dist/ when this runs from its source. */
function workerUrl(name: "ingest-worker" | "store-worker"): URL {
  const fromSource = import.meta.url.endsWith(".ts");
  return new URL(fromSource ? `../dist/${name}.mjs` : `./${name}.mjs`, import.meta.url);
}
