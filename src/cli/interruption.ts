/**
 * Ctrl-C and SIGTERM for commands that clean up: the first signal asks the command to stop, the
 * second ends the process. A command that never asks for the signal is simply ended by it.
 * Not for `serve`, which has its own way to stop.
 */

export interface Interruption {
  /** The first look at it takes over the process's signals. */
  readonly signal: AbortSignal;
  readonly abort: () => void;
  /** Takes the handlers away again. */
  readonly dispose: () => void;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** What a shell reports for a process that Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;

/** @param outer given by tests instead of the process's signals */
export function interruption(outer?: AbortSignal): Interruption {
  const controller = new AbortController();
  let listening = false;
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    controller.abort();
  };
  return {
    get signal() {
      if (outer !== undefined) return AbortSignal.any([outer, controller.signal]);
      if (!listening) for (const name of SIGNALS) process.on(name, onSignal);
      listening = true;
      return controller.signal;
    },
    abort: () => controller.abort(),
    dispose: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
