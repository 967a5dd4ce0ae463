/**
 * What a crash report holds, and what it must not. Pure.
 *
 * Guarantees: no record's text, query or secret, wherever it was thrown: of an error only its name,
 * code, system call and stack frames are kept, and the message only of errors of ours, whose
 * messages never hold text (JSON.parse, for one, quotes what it was given). The size is bounded.
 */
import type { Snapshot } from "./flight-recorder.ts";
import type { Signal } from "./signal.ts";

export type CrashedThread = "main" | "ingester" | "store";

export interface CrashedError {
  readonly name: string;
  /** Of memspool, Node or the system; null if it has none. */
  readonly code: string | null;
  /** The system call that failed. */
  readonly syscall: string | null;
  /** Only of an error of ours. */
  readonly message: string | null;
  /** `at …` lines, the innermost first. */
  readonly frames: readonly string[];
  /** What it was caused by, at most CAUSES_MAX deep. */
  readonly cause: CrashedError | null;
}

export interface CrashReport {
  /** Of memspool. */
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  /** ISO 8601. */
  readonly time: string;
  readonly pid: number;
  readonly uptime_s: number;
  readonly thread: CrashedThread;
  /** Whether the process ended by it. */
  readonly fatal: boolean;
  readonly error: CrashedError;
  /** Newest first, as in `memspool://events`. */
  readonly signals: readonly Signal[];
  readonly snapshots: readonly Snapshot[];
}

export const REPORT_BYTES_MAX = 262_144;
const FRAMES_MAX = 50;
const FRAME_CHARS_MAX = 300;
const MESSAGE_CHARS_MAX = 500;
const CAUSES_MAX = 3;
const IDENTIFIER = /^[A-Za-z_$][\w$]{0,63}$/;
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;
const SYSCALL = /^[a-z_0-9]{1,32}$/;
/** `at name (place:1:2)`, `at place:1:2` or a built-in; a place is Node's module or a whole path. */
const FRAME =
  /^ {4}at (?:[\w$.<>[\]# ]{1,120} \()?(?:<anonymous>|(?:node:[\w/.-]+|(?:file:\/\/)?(?:\/|[A-Za-z]:[\\/])[^\n()]*):\d+:\d+)\)?$/;

/** @param ownMessage the message of an error of ours, undefined for any other */
export function crashedError(
  thrown: unknown,
  ownMessage: (error: unknown) => string | undefined,
  depth = 0,
): CrashedError {
  if (!(thrown instanceof Error)) return notAnError(thrown);
  const code = textField(thrown, "code");
  const syscall = textField(thrown, "syscall");
  const name = textField(thrown, "name");
  const cause = read(thrown, "cause");
  return {
    name: name !== undefined && IDENTIFIER.test(name) ? name : "Error",
    code: code !== undefined && CODE.test(code) ? code : null,
    syscall: syscall !== undefined && SYSCALL.test(syscall) && isErrnoName(code) ? syscall : null,
    message: ownMessage(thrown)?.slice(0, MESSAGE_CHARS_MAX) ?? null,
    frames: framesOf(thrown),
    cause:
      cause === undefined || depth >= CAUSES_MAX
        ? null
        : crashedError(cause, ownMessage, depth + 1),
  };
}

function isErrnoName(code: string | undefined): boolean {
  return code !== undefined && /^E[A-Z0-9]{1,31}$/.test(code);
}

/** A thrown text may be anybody's words, so only its kind is kept. */
function notAnError(thrown: unknown): CrashedError {
  const name = thrown === null ? "null" : typeof thrown;
  return { name, code: null, syscall: null, message: null, frames: [], cause: null };
}

/**
 * The frames at the stack's end. A stack begins with name and message, and a message may hold
 * lines that look like frames: it is taken away first, and where it can not be found (it was changed
 * after the throw), nothing of the stack can be trusted.
 */
function framesOf(error: Error): string[] {
  const stack = textField(error, "stack") ?? "";
  const message = textField(error, "message") ?? "";
  const messageAt = stack.indexOf(message);
  if (messageAt < 0) return [];
  const lines = stack.slice(messageAt + message.length).split("\n");
  const frames: string[] = [];
  for (const line of lines.slice(1)) {
    if (!FRAME.test(line)) continue;
    frames.push(line.trim().slice(0, FRAME_CHARS_MAX));
    if (frames.length === FRAMES_MAX) break;
  }
  return frames;
}

function textField(error: Error, name: "name" | "code" | "syscall" | "stack" | "message") {
  const value = read(error, name);
  return typeof value === "string" ? value : undefined;
}

/** A getter of a stranger's error may throw in its turn. */
function read(error: Error, name: string): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

/** The report as a file's content, within REPORT_BYTES_MAX: snapshots go first. */
export function encodeCrashReport(report: CrashReport): Buffer {
  const encode = (shown: CrashReport) => Buffer.from(`${JSON.stringify(shown, null, 1)}\n`);
  const whole = encode(report);
  if (whole.length <= REPORT_BYTES_MAX) return whole;
  const shorter = encode({ ...report, snapshots: [], signals: report.signals.slice(0, 10) });
  if (shorter.length <= REPORT_BYTES_MAX) return shorter;
  return encode({ ...report, snapshots: [], signals: [] });
}
