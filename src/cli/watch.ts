/**
 * `memspool status --watch`: the status again and again, until it is ended.
 *
 * On a terminal a live view; elsewhere, and on a terminal without cursor movement (TERM=dumb), the
 * same lines every two seconds; with --json one document a line, each time.
 * Guarantees: what fails while it watches is shown, and the next look comes; ends at q, Ctrl-C and
 * SIGTERM with the terminal as it was and the exit code of the last state.
 */
import { setTimeout as delay } from "node:timers/promises";
import { MemspoolError, reportError } from "../errors.ts";
import type { StatusReport } from "../memory/memory.ts";
import { type CommandContext, EXIT_FAILED, EXIT_OK, EXIT_USAGE } from "./command-context.ts";
import { cutLine, sparkline } from "./drawing.ts";
import { LiveView } from "./live-view.ts";
import { oneLine, shortDuration } from "./printable.ts";
import { type Entry, type Screen, statusLines } from "./status-screen.ts";

type Look = () => Promise<StatusReport>;
type WatchContext = Pick<CommandContext, "output" | "stdin" | "env" | "signal">;
/** Resolves after a time, or when it is aborted. */
type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

export const LIVE_MS = 1_000;
const PLAIN_MS = 2_000;
/** More than any terminal is wide. */
const SEEN_MAX = 1_000;
const NAME_CELLS = 11;
/** What stands behind a sparkline. */
const NUMBERS_CELLS = 24;
const KEYS = "q quits";

export function exitCodeOfState(state: StatusReport["state"]): number {
  return state === "ok" ? EXIT_OK : state === "degraded" ? EXIT_FAILED : EXIT_USAGE;
}

/** @param pause replaced by tests */
export async function watchStatus(
  context: WatchContext,
  look: Look,
  pause: Pause = waitFor,
): Promise<number> {
  const { output, env } = context;
  const isLive = output.terminal && !output.json && env.TERM !== "dumb";
  return isLive ? watchLive(context, look, pause) : watchPlain(context, look, pause);
}

async function watchPlain(
  { output, signal }: WatchContext,
  look: Look,
  pause: Pause,
): Promise<number> {
  let exitCode = EXIT_OK;
  while (!signal.aborted) {
    const found = await orEnd(look().catch(expected), signal);
    if (found === undefined) break;
    const failed = found instanceof MemspoolError;
    if (output.json) output.row(failed ? { error: reportError(found) } : found);
    else for (const line of [...plainLines(found), ""]) output.line(line);
    exitCode = failed ? EXIT_FAILED : exitCodeOfState(found.state);
    await pause(PLAIN_MS, signal);
  }
  return exitCode;
}

function plainLines(found: StatusReport | MemspoolError): string[] {
  const style = (_style: unknown, text: string) => text;
  if (found instanceof MemspoolError) return [errorLine(found, style)];
  const { POSITIVE_INFINITY: columns, POSITIVE_INFINITY: rows } = Number;
  return statusLines(found, { columns, rows, style });
}

function errorLine({ code, message }: MemspoolError, style: Screen["style"]): string {
  return `${style("red", "error")} ${code}: ${oneLine(message)}`;
}

async function watchLive(
  { output, stdin, signal }: WatchContext,
  look: Look,
  pause: Pause,
): Promise<number> {
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const seen = new Seen();
  let last: StatusReport | MemspoolError | undefined;
  const draw = () => view.draw(frame(last, seen, output));
  const view = new LiveView({
    output,
    stdin,
    onQuit: () => ended.abort(),
    onResize: () => draw(),
  });
  try {
    draw();
    while (!until.aborted) {
      const found = await orEnd(look().catch(expected), until);
      if (found === undefined) break;
      last = found;
      if (!(last instanceof MemspoolError)) seen.add(last);
      draw();
      await pause(LIVE_MS, until);
    }
  } finally {
    view.close();
  }
  if (last === undefined) return EXIT_OK;
  return last instanceof MemspoolError ? EXIT_FAILED : exitCodeOfState(last.state);
}

/** A store that hangs keeps nobody from leaving: undefined if the end comes first. */
async function orEnd<T>(answer: Promise<T>, until: AbortSignal): Promise<T | undefined> {
  const ended = new Promise<undefined>((resolve) => {
    if (until.aborted) resolve(undefined);
    until.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  try {
    return await Promise.race([answer, ended]);
  } finally {
    answer.catch(() => {}); // told above, or nobody is there to be told
  }
}

function expected(error: unknown): MemspoolError {
  if (error instanceof MemspoolError) return error;
  throw error;
}

/** What was seen since the view began. */
class Seen {
  readonly depth: number[] = [];
  readonly ackMs: (number | undefined)[] = [];

  add({ queue, pressure }: StatusReport): void {
    keepNewest(this.depth, queue.depth + queue.spilled);
    keepNewest(this.ackMs, pressure.ack_ms.p99 === 0 ? undefined : pressure.ack_ms.p99);
  }
}

function keepNewest<T>(values: T[], value: T): void {
  values.push(value);
  if (values.length > SEEN_MAX) values.shift();
}

function frame(
  last: StatusReport | MemspoolError | undefined,
  seen: Seen,
  output: CommandContext["output"],
): string[] {
  const { columns, rows } = output.size;
  const style: typeof output.style = (name, text) => output.style(name, text);
  const height = Math.max(1, rows - 1);
  const lines =
    last === undefined
      ? []
      : last instanceof MemspoolError
        ? [errorLine(last, style)]
        : statusLines(last, { columns, rows: height, style, over: overTime(seen, columns) });
  while (lines.length < height) lines.push("");
  const foot = last === undefined || last instanceof MemspoolError ? KEYS : footOf(last);
  return [...lines, ...(rows > 1 ? [foot] : [])].map((line) => cutLine(line, columns));
}

function footOf({ version, now }: StatusReport): string {
  return `memspool ${version}  ${now.slice(11, 19)}Z  ${KEYS}`;
}

function overTime(seen: Seen, columns: number): Entry[] {
  const cells = Math.min(60, columns - NAME_CELLS - NUMBERS_CELLS);
  const depthMost = Math.max(0, ...seen.depth.slice(-cells));
  const ackMost = Math.max(0, ...seen.ackMs.slice(-cells).map((ms) => ms ?? 0));
  const ackNow = seen.ackMs.at(-1);
  const ack = ackNow === undefined ? "none" : shortDuration(ackNow);
  const most = ackMost === 0 ? "no captures seen" : `${ack}, at most ${shortDuration(ackMost)}`;
  return [
    ["depth", `${sparkline(seen.depth, cells)} ${seen.depth.at(-1) ?? 0}, at most ${depthMost}`],
    ["ack p99", `${sparkline(seen.ackMs, cells)} ${most}`],
  ];
}

/** An interrupted wait is the way to end this. */
async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
