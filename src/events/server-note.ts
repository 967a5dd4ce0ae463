/**
 * What a server tells other processes of the same data directory: the shape of its note, and what
 * makes a text one. Pure, and light enough for a hook: no schema library.
 *
 * Guarantees: whatever a file holds, `parseServerNote` returns a whole note, with every list within
 * its bound and every text clipped, or nothing.
 */
import type { Signal } from "./signal.ts";

export const NOTE_BYTES_MAX = 65_536;
export const NOTE_SIGNALS_MAX = 10;
export const NOTE_HISTORY_MAX = 60;

/** Null where the server does not know it. Names are those of the file. */
export interface ServerNote {
  readonly note_version: 1;
  readonly pid: number;
  readonly host: string;
  /** Of memspool. */
  readonly version: string;
  readonly started_at_ms: number;
  /** When it was written. */
  readonly at_ms: number;
  readonly spool: {
    readonly state: "normal" | "soft" | "hard";
    readonly since_ms: number;
    readonly used_bytes: number | null;
    /** Captures that the quota had refused. */
    readonly dropped: number;
  } | null;
  /** Captures held up now, and since the server started. */
  readonly gate: {
    readonly waiting: number;
    readonly delayed: number;
    readonly refused_by_quota: number;
    readonly refused_early: number;
    readonly refused_by_memory: number;
  } | null;
  readonly memory: {
    readonly level: "normal" | "throttle" | "shed" | "critical";
    readonly rss_bytes: number;
    readonly limit_bytes: number | null;
    readonly source: string | null;
  } | null;
  readonly governor: {
    readonly state: "normal" | "degraded" | "recovering";
    readonly share: number;
    readonly since_ms: number;
    readonly cause: string | null;
  } | null;
  readonly ack: { readonly p50_ms: number; readonly p99_ms: number } | null;
  /** Records a second that went into the store in the last minute, by this server. */
  readonly ingest_rate: number | null;
  /** The last ones, newest first. */
  readonly signals: readonly Signal[];
  /** One entry a second, oldest first; up to `at_ms`. */
  readonly history: {
    readonly depth: readonly (number | null)[];
    readonly ack_p99_ms: readonly (number | null)[];
  };
}

const TEXT_CHARS_MAX = 300;
const SEVERITIES = ["debug", "info", "warning", "error", "critical"];

/** @returns undefined for anything but a whole note of this version */
export function parseServerNote(text: string): ServerNote | undefined {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined; // a SyntaxError: torn, or nothing of ours
  }
  try {
    return noteOf(objectOf(given));
  } catch (error) {
    if (error instanceof NotANote) return undefined;
    throw error;
  }
}

class NotANote extends Error {}

type Fields = Readonly<Record<string, unknown>>;

function noteOf(given: Fields): ServerNote {
  if (given.note_version !== 1) throw new NotANote();
  const history = objectOf(given.history);
  return {
    note_version: 1,
    pid: wholeOf(given.pid, 1),
    host: textOf(given.host),
    version: textOf(given.version),
    started_at_ms: numberOf(given.started_at_ms),
    at_ms: numberOf(given.at_ms),
    spool: orNull(given.spool, spoolOf),
    gate: orNull(given.gate, gateOf),
    memory: orNull(given.memory, memoryOf),
    governor: orNull(given.governor, governorOf),
    ack: orNull(given.ack, (ack) => {
      const { p50_ms, p99_ms } = objectOf(ack);
      return { p50_ms: numberOf(p50_ms), p99_ms: numberOf(p99_ms) };
    }),
    ingest_rate: orNull(given.ingest_rate, numberOf),
    signals: listOf(given.signals, NOTE_SIGNALS_MAX, signalFrom),
    history: {
      depth: seriesOf(history.depth),
      ack_p99_ms: seriesOf(history.ack_p99_ms),
    },
  };
}

function spoolOf(given: unknown): ServerNote["spool"] {
  const { state, since_ms, used_bytes, dropped } = objectOf(given);
  return {
    state: oneOf(state, ["normal", "soft", "hard"] as const),
    since_ms: numberOf(since_ms),
    used_bytes: orNull(used_bytes, numberOf),
    dropped: wholeOf(dropped, 0),
  };
}

function gateOf(given: unknown): ServerNote["gate"] {
  const gate = objectOf(given);
  return {
    waiting: wholeOf(gate.waiting, 0),
    delayed: wholeOf(gate.delayed, 0),
    refused_by_quota: wholeOf(gate.refused_by_quota, 0),
    refused_early: wholeOf(gate.refused_early, 0),
    refused_by_memory: wholeOf(gate.refused_by_memory, 0),
  };
}

function memoryOf(given: unknown): ServerNote["memory"] {
  const { level, rss_bytes, limit_bytes, source } = objectOf(given);
  return {
    level: oneOf(level, ["normal", "throttle", "shed", "critical"] as const),
    rss_bytes: numberOf(rss_bytes),
    limit_bytes: orNull(limit_bytes, numberOf),
    source: orNull(source, textOf),
  };
}

function governorOf(given: unknown): ServerNote["governor"] {
  const { state, share, since_ms, cause } = objectOf(given);
  return {
    state: oneOf(state, ["normal", "degraded", "recovering"] as const),
    share: numberOf(share),
    since_ms: numberOf(since_ms),
    cause: orNull(cause, textOf),
  };
}

/** Codes of a later version are let through: they are only shown. */
function signalFrom(given: unknown): Signal {
  const { severity, control, code, component, message, time, context, recoverable } =
    objectOf(given);
  return {
    severity: oneOf(severity, SEVERITIES) as Signal["severity"],
    control: textOf(control) as Signal["control"],
    code: textOf(code) as Signal["code"],
    component: textOf(component) as Signal["component"],
    message: textOf(message),
    time: timeOf(time),
    context: contextOf(objectOf(context)),
    recoverable: recoverable === true,
  };
}

function contextOf(given: Fields): Signal["context"] {
  const plain = Object.entries(given).filter(([, value]) =>
    ["string", "number", "boolean"].includes(typeof value),
  );
  return Object.fromEntries(plain) as Signal["context"];
}

function seriesOf(given: unknown): (number | null)[] {
  return listOf(given, NOTE_HISTORY_MAX, (value) => orNull(value, numberOf));
}

function listOf<T>(given: unknown, countMax: number, itemOf: (item: unknown) => T): T[] {
  if (!Array.isArray(given) || given.length > countMax) throw new NotANote();
  return given.map(itemOf);
}

function orNull<T>(given: unknown, parse: (given: unknown) => T): T | null {
  return given === null ? null : parse(given);
}

function objectOf(given: unknown): Fields {
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw new NotANote();
  return given as Fields;
}

function numberOf(given: unknown): number {
  if (typeof given !== "number" || !Number.isFinite(given)) throw new NotANote();
  return given;
}

function wholeOf(given: unknown, min: number): number {
  const number = numberOf(given);
  if (!Number.isSafeInteger(number) || number < min) throw new NotANote();
  return number;
}

function textOf(given: unknown): string {
  if (typeof given !== "string") throw new NotANote();
  return given.slice(0, TEXT_CHARS_MAX);
}

function timeOf(given: unknown): string {
  const text = textOf(given);
  if (Number.isNaN(Date.parse(text))) throw new NotANote();
  return text;
}

function oneOf<T extends string>(given: unknown, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === given);
  if (found === undefined) throw new NotANote();
  return found;
}
