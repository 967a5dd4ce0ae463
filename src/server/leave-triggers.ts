/**
 * What ends a stdio session besides its streams: signals, and the death of the parent process.
 *
 * A parent that dies without closing our stdin (another process holds the same pipe) leaves its
 * child to another parent, so the parent's id changes; it is looked at on a timer that keeps nothing
 * alive. A parent that died before the first look can not be noticed this way.
 */
import type { EventEmitter } from "node:events";

export const LEAVE_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
export const PPID_POLL_MS = 1_000;

export interface LeaveTriggerOptions {
  readonly signals: EventEmitter;
  readonly getPpid: () => number;
  readonly ppidPollMs: number;
  /** May be called more than once: a second signal must not end the process by itself. */
  readonly leave: (reason: string) => void;
}

/** Starts to listen; the returned function stops it. */
export function listenForLeaving(options: LeaveTriggerOptions): () => void {
  const { signals, getPpid, ppidPollMs, leave } = options;
  const onSignal = (signal: string) => leave(signal);
  for (const signal of LEAVE_SIGNALS) signals.on(signal, onSignal);
  const parent = getPpid();
  const poll = setInterval(() => {
    if (getPpid() !== parent) leave("parent_died");
  }, ppidPollMs);
  poll.unref();
  return () => {
    clearInterval(poll);
    for (const signal of LEAVE_SIGNALS) signals.off(signal, onSignal);
  };
}
