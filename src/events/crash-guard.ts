/**
 * What happens when something is thrown that nobody catches: a report, and an end.
 *
 *   watching ──uncaught exception, unhandled rejection──▶ reported ──answers out, 250 ms──▶ exit(1)
 *   watching ──a worker thread's error──▶ watching, one report more
 *
 * Guarantees: after a throw of the main thread the end of the process is always asked for, with code 1:
 * whatever the report meets, and whatever is thrown meanwhile. The state of a program is unknown then, and going
 * on could acknowledge what is not on disk. Nothing acknowledged is lost, because a receipt is given
 * after the fsync; answers that are finished are handed to the operating system, the others were
 * not acknowledged. Not caught: the end of memory, SIGKILL, and what native code does.
 */
import type { EventEmitter } from "node:events";
import type { Clock } from "../platform/clock.ts";
import type { Events } from "./catalogue.ts";
import type { CrashFiles } from "./crash-files.ts";
import {
  type CrashedThread,
  type CrashReport,
  crashedError,
  encodeCrashReport,
} from "./crash-report.ts";
import type { FlightReport } from "./flight-recorder.ts";

/** How long finished answers may take to leave. */
export const LAST_ANSWERS_MS = 250;

export interface CrashGuardParts {
  /** Where uncaughtException and unhandledRejection arrive: the process. */
  readonly source: Pick<EventEmitter, "on" | "off">;
  readonly files: CrashFiles;
  readonly clock: Clock;
  readonly events: Events;
  readonly flight: () => FlightReport;
  readonly facts: Pick<CrashReport, "version" | "node" | "platform" | "pid">;
  /** See crash-report.ts. */
  readonly ownMessage: (error: unknown) => string | undefined;
  /** Writes a line to standard error; may throw. */
  readonly say: (line: string) => void;
  /** Calls back when what was written to the client has left. */
  readonly flush: (done: () => void) => void;
  /** Ends the process. */
  readonly exit: (code: number) => void;
}

export class CrashGuard {
  readonly #parts: CrashGuardParts;
  readonly #startedMs: number;
  #isEnding = false;

  constructor(parts: CrashGuardParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.monotonicMs();
  }

  start(): void {
    const { source } = this.#parts;
    source.on("uncaughtException", this.#onThrown);
    source.on("unhandledRejection", this.#onThrown);
  }

  /** From here on Node ends the process by itself, and says why on standard error. */
  stop(): void {
    const { source } = this.#parts;
    source.off("uncaughtException", this.#onThrown);
    source.off("unhandledRejection", this.#onThrown);
  }

  /** A worker thread ended by an error; it is started again. Never throws. */
  workerFailed(thread: "ingester" | "store", error: unknown): void {
    try {
      this.#report(error, thread);
    } catch {
      // The thread's end is told by other events; the server goes on.
    }
  }

  readonly #onThrown = (error: unknown): void => {
    if (this.#isEnding) return; // the end is near already
    this.#isEnding = true;
    const { exit, flush } = this.#parts;
    try {
      this.#report(error, "main");
    } catch {
      // Whatever went wrong while reporting: the end must come.
    }
    try {
      setTimeout(exit, LAST_ANSWERS_MS, 1);
      flush(() => exit(1));
    } catch {
      exit(1);
    }
  };

  #report(thrown: unknown, thread: CrashedThread): void {
    const { files, clock, events, flight, facts, ownMessage, say } = this.#parts;
    const fatal = thread === "main";
    const error = crashedError(thrown, ownMessage);
    const nowMs = clock.nowMs();
    const outcome = files.write(nowMs, facts.pid, () => {
      const { signals, snapshots } = flight();
      const uptime_s = Math.round((clock.monotonicMs() - this.#startedMs) / 1000);
      const time = new Date(nowMs).toISOString();
      const { version, node, platform, pid } = facts;
      return encodeCrashReport({
        ...{ version, node, platform, time, pid, uptime_s, thread, fatal, error },
        ...{ signals, snapshots },
      });
    });
    const shown = error.code ?? error.name;
    const report = outcome.report ?? "";
    try {
      say(sentence(shown, thread, fatal, outcome));
    } finally {
      events.emit("crash_reported", { error: shown, thread, fatal, report });
    }
  }
}

function sentence(
  error: string,
  thread: CrashedThread,
  fatal: boolean,
  outcome: ReturnType<CrashFiles["write"]>,
): string {
  const what = `memspool: ${error} was thrown in thread ${thread} and caught by nobody`;
  const next = fatal
    ? "this process ends; what was acknowledged is on disk"
    : "it is started again";
  if (outcome.report !== undefined) return `${what}; ${next}. Report: crashes/${outcome.report}`;
  if (outcome.why === "recent") return `${what}; ${next}. A report of the last minute is there.`;
  return `${what}; ${next}. No report could be written (${outcome.why}).`;
}
