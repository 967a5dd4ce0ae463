/**
 * What an event says to whoever controls or watches: severity, control, a stable code, a sentence.
 *
 * Guarantees: `signalOf` is pure and total; a new event of the catalogue does not compile until
 * signal-rules.ts says which signal it is, or that it is none. Messages are fixed sentences with
 * numbers, and a context holds an event's own fields: ids, counts, codes, never a record's text.
 * A signal is a view of an event (decision 27): nobody emits one, and nothing is decided by one.
 */
import { EVENT_SEVERITY, type EventName, type MemspoolEvent, type Severity } from "./catalogue.ts";
import type { SignalCode, SignalComponent, SignalControl } from "./signal-codes.ts";
import { SIGNAL_RULES, type SignalView } from "./signal-rules.ts";

export type { SignalCode, SignalComponent, SignalControl } from "./signal-codes.ts";

export interface Signal {
  readonly severity: Severity;
  readonly control: SignalControl;
  readonly code: SignalCode;
  readonly component: SignalComponent;
  /** One sentence. */
  readonly message: string;
  /** ISO 8601. */
  readonly time: string;
  /** The event's fields. */
  readonly context: Readonly<Record<string, string | number | boolean>>;
  /** Whether memspool gets over it by itself, without a person. */
  readonly recoverable: boolean;
}

const CONTEXT_CHARS_MAX = 200;
/** The last moment that a Date can hold. */
const TIME_MS_MAX = 8_640_000_000_000_000;

/** @returns undefined for an event that is no signal, such as an acknowledged capture */
export function signalOf(event: MemspoolEvent, nowMs: number): Signal | undefined {
  const view = viewOf(event);
  if (view === undefined) return undefined;
  return Object.freeze({
    severity: view.severity ?? EVENT_SEVERITY[event.event],
    control: view.control,
    code: view.code,
    component: view.component,
    message: view.message,
    time: isoTime(nowMs),
    context: plainFields(event.fields),
    recoverable: view.recoverable ?? true,
  });
}

function viewOf({ event, fields }: MemspoolEvent): SignalView | undefined {
  // A worker posts names as text: what is not in the table is no signal.
  if (!Object.hasOwn(SIGNAL_RULES, event)) return undefined;
  const rule = SIGNAL_RULES[event] as ((given: typeof fields) => SignalView | undefined) | null;
  return rule?.(fields);
}

function plainFields(fields: object): Signal["context"] {
  const context: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") context[name] = value.slice(0, CONTEXT_CHARS_MAX);
    else if (typeof value === "number" || typeof value === "boolean") context[name] = value;
  }
  return context;
}

function isoTime(nowMs: number): string {
  const isTime = Math.abs(nowMs) <= TIME_MS_MAX; // false for NaN, too
  return new Date(isTime ? nowMs : 0).toISOString();
}

/** Events that never become a signal. */
export function isNeverSignal(name: EventName): boolean {
  return SIGNAL_RULES[name] === null;
}
