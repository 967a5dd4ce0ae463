/**
 * What hooks did and could not do, for `status` and `doctor` to tell: a hook itself has nobody to
 * tell, because what it prints reaches the model and its exit code stops the client's turn.
 *
 * Guarantees: every count is a file that grows by one byte, every failure a line of its own, both in
 * one append, so that any number of hooks write at once without a lock. Bounded: a full list of
 * failures replaces the older one. Holds codes, names of fields and times; never a word that was said.
 * Does not survive a power cut: nothing here is fsynced, and nothing depends on it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import type { HookCounts } from "../memory/status-shapes.ts";
import { isErrno } from "../platform/errno.ts";
import { type HookCount, type HooksDirectory, makeHooksDirectory } from "./hooks-directory.ts";

const FAILURES_BYTES_MAX = 65_536;
/** More than the longest line. */
const LAST_LINE_BYTES_MAX = 1_024;
const WORD_CHARS_MAX = 64;

export interface HookFailure {
  /** ISO 8601. */
  readonly ts: string;
  readonly client: string;
  readonly event: string;
  readonly code: string;
  /** What the code is about: a field, a system error, a setting. */
  readonly subject: string;
}

/** @throws system errors, UNSAFE_PATH */
export function countHook(paths: HooksDirectory, what: HookCount): void {
  makeHooksDirectory(paths);
  append(paths.counts[what], ".");
}

/** @throws system errors, UNSAFE_PATH */
export function noteFailure(paths: HooksDirectory, failure: HookFailure): void {
  makeHooksDirectory(paths);
  const { ts, client, event, code, subject } = failure;
  const words = { client, event, code, subject };
  const short = Object.entries(words).map(([name, word]) => [name, plainWord(word)]);
  const size = append(
    paths.failuresFile,
    `${JSON.stringify({ ts, ...Object.fromEntries(short) })}\n`,
  );
  append(paths.counts.failed, ".");
  if (size <= FAILURES_BYTES_MAX) return;
  try {
    renameSync(paths.failuresFile, paths.olderFailuresFile);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error; // another hook was a moment faster
  }
}

/** Reads some bytes of each file, however long hooks have been at work. */
export function hookCounts(paths: HooksDirectory): HookCounts {
  const [captured, ignored, failed] = (["captured", "ignored", "failed"] as const).map((what) =>
    factsOf(paths.counts[what]),
  );
  const last = lastFailure(paths.failuresFile) ?? lastFailure(paths.olderFailuresFile);
  return {
    captured: captured?.size ?? 0,
    ignored: ignored?.size ?? 0,
    failures: failed?.size ?? 0,
    last_captured_at: captured === undefined ? null : new Date(captured.mtimeMs).toISOString(),
    last_failure_at: last?.ts ?? null,
    last_failure_code: last?.code ?? null,
  };
}

/** A name that came from outside, harmless in a file that people print. */
function plainWord(word: string): string {
  return word.slice(0, WORD_CHARS_MAX).replace(/[^\w.:#()*-]/g, "?");
}

/** @returns the file's size afterwards */
function append(path: string, text: string): number {
  const flags =
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  const fd = openSync(path, flags, 0o600);
  try {
    writeSync(fd, text);
    return fstatSync(fd).size;
  } finally {
    closeSync(fd);
  }
}

function factsOf(path: string): { size: number; mtimeMs: number } | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

function lastFailure(path: string): HookFailure | undefined {
  const facts = factsOf(path);
  if (facts === undefined || facts.size === 0) return undefined;
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const bytes = Buffer.alloc(Math.min(facts.size, LAST_LINE_BYTES_MAX));
    const read = readSync(fd, bytes, 0, bytes.length, facts.size - bytes.length);
    const lines = bytes.toString("utf8", 0, read).split("\n").reverse();
    return lines.map(parseFailure).find((failure) => failure !== undefined);
  } finally {
    closeSync(fd);
  }
}

function parseFailure(line: string): HookFailure | undefined {
  try {
    const value = JSON.parse(line) as HookFailure | null;
    return typeof value?.ts === "string" && typeof value.code === "string" ? value : undefined;
  } catch {
    return undefined; // cut at the front, torn by a full disk, or empty behind the last line feed
  }
}
