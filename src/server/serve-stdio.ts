/**
 * One MCP session over standard input and output, from the first byte to the exit code.
 *
 * The session ends when stdin ends, stdout is closed, a signal arrives or the parent dies. Then, in
 * this order and within LEAVE_MS_MAX altogether:
 * 1. no further message is read, calls that only wait give up, and draining is told to stop;
 * 2. calls in flight finish and are answered (a capture that was begun is acknowledged or refused);
 * 3. everything is closed;
 * 4. the last answers are handed to the operating system.
 * What is not done in time is left: it was not acknowledged, or it is on disk.
 */
import type { EventEmitter } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Events } from "../events/catalogue.ts";
import type { Memory } from "../memory/memory.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import { buildServer } from "./build-server.ts";
import { listenForLeaving, PPID_POLL_MS } from "./leave-triggers.ts";
import { redirectConsole } from "./redirect-console.ts";
import { StdioTransport } from "./stdio-transport.ts";

export const LEAVE_MS_MAX = 2_700;
export const ANSWER_MS_MAX = 1_000;
export const FLUSH_MS_MAX = 200;

export interface ServeStdioOptions {
  readonly memory: Memory;
  readonly events: Events;
  /** Of memspool, for `serverInfo`. */
  readonly version: string;
  /**
   * Called once, after the answer to `initialize` was handed to the operating system (or after the
   * first tool call of a client that skips `initialize`): the moment to start draining.
   */
  readonly onInitialized?: () => void;
  /** Called once, as soon as the session starts to end: draining should stop from here on. */
  readonly onLeaving?: () => void;
  /**
   * Releases everything, called once, after the calls in flight were answered.
   * @param budgetMs milliseconds that are left; the session ends after them in any case
   */
  readonly close: (budgetMs: number) => Promise<void>;
  /** Default: the process's own. */
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** Where SIGTERM, SIGINT and SIGHUP arrive; default: `process`. */
  readonly signals?: EventEmitter;
  readonly getPpid?: () => number;
  readonly ppidPollMs?: number;
  readonly clock?: Clock;
}

/**
 * Serves until the session ends and resolves to the process's exit code: 0, or 1 if something could
 * not be closed in time. The caller ends the process.
 */
export async function serveStdio(options: ServeStdioOptions): Promise<number> {
  const { events, clock = systemClock, stderr = process.stderr } = options;
  const restoreConsole = redirectConsole(stderr);
  // A client may close our stderr; that is no reason to end. Stays, for what is written late.
  stderr.on("error", () => {});
  const leaving = new AbortController();
  const left = new Promise<string>((leave) => {
    leaving.signal.addEventListener("abort", () => leave(String(leaving.signal.reason)));
  });
  const leave = (reason: string) => {
    // At once: what arrives behind a signal is not begun any more.
    transport.stopReading();
    leaving.abort(reason);
  };
  const transport = new StdioTransport({
    stdin: options.stdin ?? process.stdin,
    stdout: options.stdout ?? process.stdout,
    events,
    clock,
    onEnd: leave,
    onAnswered: startWith(options.onInitialized, leaving.signal),
  });
  const stopListening = listenForLeaving({
    signals: options.signals ?? process,
    getPpid: options.getPpid ?? (() => process.ppid),
    ppidPollMs: options.ppidPollMs ?? PPID_POLL_MS,
    leave,
  });
  const server = buildServer({
    memory: options.memory,
    version: options.version,
    leaving: leaving.signal,
  });
  events.emit("server_started", { pid: process.pid, version: options.version });
  await server.connect(transport);
  const reason = await left;
  const startedMs = clock.monotonicMs();
  const spentMs = () => clock.monotonicMs() - startedMs;
  events.emit("server_stopping", { reason });
  options.onLeaving?.();
  await within(ANSWER_MS_MAX, transport.whenIdle());
  const budgetMs = Math.max(0, LEAVE_MS_MAX - FLUSH_MS_MAX - spentMs());
  const isClosed = await within(budgetMs, options.close(budgetMs));
  await within(FLUSH_MS_MAX, transport.flush());
  await server.close();
  events.emit("server_stopped", { ms: Math.round(spentMs()) });
  stopListening();
  restoreConsole();
  return isClosed ? 0 : 1;
}

/**
 * Calls back once, at the first answer that shows that the client is up and running; not at all
 * when the session is ending already.
 */
function startWith(
  onInitialized: (() => void) | undefined,
  leaving: AbortSignal,
): (method: string) => void {
  let started = false;
  return (method) => {
    if (started || leaving.aborted) return;
    if (method !== "initialize" && method !== "tools/call") return;
    started = true;
    onInitialized?.();
  };
}

/** Whether the work was done in time. What fails or is late is given up, as the header says. */
async function within(ms: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  const done = work.then(
    () => true,
    () => false,
  );
  const inTime = await Promise.race([done, late]);
  clearTimeout(timer);
  return inTime;
}
