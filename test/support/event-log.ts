/** What built servers said happened, read back from their log file in the order of its lines. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface LoggedEvent {
  readonly event: string;
  readonly level: string;
  /** ISO 8601. */
  readonly time: string;
  readonly [field: string]: unknown;
}

/** Environment for a server whose events are read back with {@link loggedEvents}. */
export const LOG_TO_FILE = {
  MEMSPOOL_LOG_FILE: "events.log",
  MEMSPOOL_LOG_LEVEL: "info",
} as const;

/** Every event so far, the oldest first; one that is being written just now is left out. */
export function loggedEvents(home: string): LoggedEvent[] {
  let text: string;
  try {
    text = readFileSync(join(home, LOG_TO_FILE.MEMSPOOL_LOG_FILE), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return [];
  }
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as LoggedEvent);
}

/** Names only, of the given kinds, without repetitions that follow each other. */
export function eventOrder(events: readonly LoggedEvent[], kinds: readonly string[]): string[] {
  const names = events.map(({ event }) => event).filter((name) => kinds.includes(name));
  return names.filter((name, at) => name !== names[at - 1]);
}
