/**
 * The flight recorder, the server's note and the crash guard of this process, put together.
 *
 * Guarantees: before `start` nothing is timed, written or listened to but this process's own events;
 * so a command pays nothing for it. The guard stays until the process ends, because what is thrown
 * while everything is closed must be reported, too; and it ends the process whatever its threads do.
 */
import { hostname } from "node:os";
import type { DataPaths } from "../config/data-paths.ts";
import { MemspoolError } from "../errors.ts";
import { SignalBus } from "../events/bus.ts";
import { CrashFiles } from "../events/crash-files.ts";
import { CrashGuard, type CrashGuardParts } from "../events/crash-guard.ts";
import type { EventHub } from "../events/event-hub.ts";
import { type FlightLook, FlightRecorder, type FlightReport } from "../events/flight-recorder.ts";
import { readServerNotes, ServerNotes } from "../events/server-notes.ts";
import { signalOf } from "../events/signal.ts";
import type { Clock } from "../platform/clock.ts";
import { nodeDurableFs } from "../platform/durable-fs.ts";
import { nodeDurableFsSync } from "../platform/durable-fs-sync.ts";
import { endDespiteStuckThreads, endThreads } from "../platform/stuck-threads.ts";
import type { PressureFacts } from "../pressure/pressure-facts.ts";
import { usedBytes } from "../queue/spool-usage.ts";
import { IngestRate, noteContent } from "./note-content.ts";

/** What threads get to end after a throw that nobody caught. */
const THREADS_MS = 250;

export interface FlightHereParts {
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly paths: Pick<DataPaths, "runDir" | "crashesDir">;
  /** After each signal of a severity above debug. */
  readonly onSignal: () => void;
  /** Records that this process's ingester has put into the store, while it leads. */
  readonly ingested: () => number | undefined;
  /** What pressure control knows; the recorder does without. */
  readonly pressure?: (() => PressureFacts | undefined) | undefined;
}

/** What the guard needs of the process. */
export type FlightProgram = Pick<
  NodeJS.Process,
  "on" | "off" | "exit" | "pid" | "version" | "platform" | "stdout" | "stderr"
>;

export interface Flight {
  readonly bus: SignalBus;
  readonly report: () => FlightReport;
  /** Who hears of a worker thread that ended by an error. */
  onThreadError(thread: "ingester" | "store"): (error: unknown) => void;
  /** Server only; once. */
  start(program: FlightProgram): void;
  /** Ends timer and note; idempotent. */
  stop(): void;
}

export function flightHere(parts: FlightHereParts): Flight {
  const { hub, clock, paths, pressure } = parts;
  const bus = new SignalBus();
  hub.subscribe((event) => {
    const signal = signalOf(event, clock.nowMs());
    if (signal === undefined) return;
    bus.publish(signal);
    if (signal.severity !== "debug") parts.onSignal();
  });
  const fs = nodeDurableFsSync;
  const files = new CrashFiles(fs, paths.crashesDir);
  const version = MEMSPOOL_VERSION;
  const host = hostname();
  const notes = new ServerNotes({
    fs,
    dir: paths.runDir,
    clock,
    pid: process.pid,
    host,
    version,
  });
  const rate = new IngestRate();
  const recorder = new FlightRecorder({
    bus,
    clock,
    look: () => lookAt(process.memoryUsage(), pressure?.()),
    onSnapshot: () => {
      rate.note(clock.monotonicMs(), parts.ingested());
      notes.write(noteContent(pressure?.(), recorder, rate.perSecond));
    },
  });
  let guard: CrashGuard | undefined;
  return {
    bus,
    report: () => recorder.report(),
    onThreadError: (thread) => (error) => {
      guard?.workerFailed(thread, error);
    },
    start: (program) => {
      if (guard !== undefined) return;
      guard = guardOf(program, { files, clock, events: hub, flight: () => recorder.report() });
      guard.start();
      recorder.start();
      // Sweeps the notes of servers that were killed, where nobody asks for status.
      void readServerNotes({ fs: nodeDurableFs, dir: paths.runDir, clock, host });
    },
    stop: () => {
      recorder.stop();
      notes.close();
    },
  };
}

function guardOf(
  program: FlightProgram,
  parts: Pick<CrashGuardParts, "files" | "clock" | "events" | "flight">,
): CrashGuard {
  const { pid, version: node, platform } = program;
  return new CrashGuard({
    ...parts,
    source: program,
    facts: { version: MEMSPOOL_VERSION, node, platform, pid },
    ownMessage: (error) => (error instanceof MemspoolError ? error.message : undefined),
    say: (line) => program.stderr.write(`${line}\n`),
    flush: (done) => program.stdout.write("", () => done()),
    exit: (code) => void end(program, code),
  });
}

/** A thread inside a native call, such as one that waits for a locked store, would hold the end up. */
async function end(program: FlightProgram, code: number): Promise<void> {
  try {
    await endThreads(THREADS_MS);
    endDespiteStuckThreads();
  } finally {
    program.exit(code);
  }
}

function lookAt(
  { heapUsed, rss }: NodeJS.MemoryUsage,
  facts: PressureFacts | undefined,
): FlightLook {
  const usage = facts?.spool.usage;
  return {
    heap_bytes: heapUsed,
    rss_bytes: rss,
    depth: usage?.pendingCount ?? null,
    ack_p50_ms: facts?.ackP50Ms ?? null,
    ack_p99_ms: facts?.ackP99Ms ?? null,
    loop_delay_ms: facts?.loopDelayMs ?? null,
    spool_state: facts?.spool.state ?? null,
    used_bytes: usage === undefined ? null : usedBytes(usage),
    waiting: facts?.gate.waiting ?? null,
    memory_level: facts?.memory.level ?? null,
    governor_state: facts?.governor.state ?? null,
    governor_share: facts?.governor.share ?? null,
  };
}
