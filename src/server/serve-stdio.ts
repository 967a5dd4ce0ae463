/**
 * One MCP session over standard input and output, from the first byte to the exit code.
 */
import type { EventEmitter } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Events } from "../events/catalogue.ts";
import type { Memory } from "../memory/memory.ts";
import type { Clock } from "../platform/clock.ts";

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

/** Serves until the session ends and resolves to the process's exit code. */
export async function serveStdio(_options: ServeStdioOptions): Promise<number> {
  throw new TypeError("not built yet");
}
