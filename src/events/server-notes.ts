/**
 * One small file for each running server, `run/server-<pid>-<host>.json`, by which other processes
 * know of it: a command that shows status, or a server beside it.
 *
 * Guarantees: written at most once a second, and only if something changed or NOTE_ALIVE_MS went by;
 * removed by `close`. A reader sees whole notes of living servers only: on this host those whose
 * process lives, elsewhere those that are fresh; notes of the dead, and what a kill left of writing,
 * are swept. Reads are bounded, and nothing that a file holds makes them fail. Nothing is synced: a
 * note is worth nothing after a power cut. A reused process id can show a dead server for
 * NOTE_STALE_MS.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { type DurableFsSync, factsIfThere, unlinkIfThere } from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import { makeDirectories } from "../platform/make-directories.ts";
import { NOTE_BYTES_MAX, parseServerNote, type ServerNote } from "./server-note.ts";

export const NOTE_INTERVAL_MS = 1_000;
/** Shows a server elsewhere that this one lives, though nothing changes. */
const NOTE_ALIVE_MS = 30_000;
/** Age at which a note of another host counts as left behind, and a dead process's is swept. */
const NOTE_FRESH_MS = 60_000;
/** Age at which a note of this host is not believed although its process id lives. */
const NOTE_STALE_MS = 600_000;
/** Age at which anything else in the directory is swept. */
const NOTE_LEFT_MS = 86_400_000;
export const NOTES_MAX = 64;
const NAMES_MAX = 512;
const NAME = /^server-\d{1,10}-[0-9a-f]{8}\.json/;

/** The changing part of a note; the writer adds who and when. */
export type ServerNoteContent = Omit<
  ServerNote,
  "note_version" | "pid" | "host" | "version" | "started_at_ms" | "at_ms"
>;

export interface ServerNotesParts {
  readonly fs: DurableFsSync;
  /** Made when the first note is written. */
  readonly dir: string;
  readonly clock: Clock;
  readonly pid: number;
  readonly host: string;
  readonly version: string;
}

/** Writes this process's note. */
export class ServerNotes {
  readonly #parts: ServerNotesParts;
  readonly #path: string;
  readonly #startedAtMs: number;
  #writtenMs = Number.NEGATIVE_INFINITY;
  #written: string | undefined;
  #isClosed = false;

  constructor(parts: ServerNotesParts) {
    this.#parts = parts;
    this.#path = join(parts.dir, serverNoteName(parts.pid, parts.host));
    this.#startedAtMs = parts.clock.nowMs();
  }

  /** Never throws: a note that can not be written is missing, and the next one may do. */
  write(content: ServerNoteContent): void {
    const { clock, fs, dir, pid, host, version } = this.#parts;
    const sinceMs = clock.monotonicMs() - this.#writtenMs;
    if (this.#isClosed || sinceMs < 0.9 * NOTE_INTERVAL_MS) return;
    const comparable = comparableOf(content);
    if (comparable === this.#written && sinceMs < NOTE_ALIVE_MS) return;
    const note: ServerNote = {
      note_version: 1,
      ...{ pid, host, version, started_at_ms: this.#startedAtMs, at_ms: clock.nowMs() },
      ...content,
    };
    this.#writtenMs = clock.monotonicMs();
    quietly(() => {
      makeDirectories(fs, dir);
      // A symlink may lead out of the data directory.
      if (factsIfThere(fs, dir)?.kind !== "directory") return;
      fs.replace(this.#path, `${JSON.stringify(note)}\n`, "none");
      this.#written = comparable;
    });
  }

  /** Removes the note. Idempotent. */
  close(): void {
    this.#isClosed = true;
    if (this.#written === undefined) return;
    this.#written = undefined;
    quietly(() => unlinkIfThere(this.#parts.fs, this.#path));
  }
}

/**
 * A history moves on each second; only its newest entries say whether anything happened. Use of
 * memory changes all the time, which means nothing while there is enough.
 */
function comparableOf(content: ServerNoteContent): string {
  const { depth, ack_p99_ms } = content.history;
  const rssBytes = content.memory?.level === "normal" ? 0 : content.memory?.rss_bytes;
  return JSON.stringify([content, rssBytes, depth.at(-1), ack_p99_ms.at(-1)], (name, value) =>
    name === "history" || name === "rss_bytes" ? undefined : value,
  );
}

/** Process ids of containers meet in one directory, so the host is part of the name. */
export function serverNoteName(pid: number, host: string): string {
  const tag = createHash("sha256").update(host).digest("hex").slice(0, 8);
  return `server-${pid}-${tag}.json`;
}

export interface ReadNotesParts {
  readonly fs: Pick<DurableFs, "names" | "facts" | "read" | "unlink">;
  readonly dir: string;
  readonly clock: Pick<Clock, "nowMs">;
  readonly host: string;
  readonly isAlive?: (pid: number) => boolean;
}

/** Of all living servers, this process's own too; the newest NOTES_MAX, newest first. */
export async function readServerNotes(parts: ReadNotesParts): Promise<ServerNote[]> {
  const { fs, dir } = parts;
  const names = await namesIn(fs, dir).catch(emptyIfSystem);
  const notes: ServerNote[] = [];
  for (const name of names.filter((each) => NAME.test(each)).slice(0, NAMES_MAX)) {
    const note = await lookAt(parts, join(dir, name)).catch(nothingIfSystem);
    if (note !== undefined) notes.push(note);
  }
  return notes.sort((a, b) => b.at_ms - a.at_ms).slice(0, NOTES_MAX);
}

/** Of a directory; a symlink may lead to one of somebody else. */
async function namesIn(fs: ReadNotesParts["fs"], dir: string): Promise<string[]> {
  return (await fs.facts(dir)).kind === "directory" ? fs.names(dir) : [];
}

async function lookAt(parts: ReadNotesParts, path: string): Promise<ServerNote | undefined> {
  const { fs, clock, host, isAlive = processIsAlive } = parts;
  const facts = await fs.facts(path);
  const isNote = facts.kind === "file" && facts.bytes <= NOTE_BYTES_MAX && path.endsWith(".json");
  const note = isNote ? parseServerNote((await fs.read(path)).toString("utf8")) : undefined;
  const nowMs = clock.nowMs();
  if (note === undefined) {
    if (nowMs - facts.mtimeMs > NOTE_LEFT_MS) await fs.unlink(path);
    return undefined;
  }
  const ageMs = nowMs - note.at_ms;
  if (note.host !== host) {
    if (ageMs > NOTE_LEFT_MS) await fs.unlink(path);
    return Math.abs(ageMs) <= NOTE_FRESH_MS ? note : undefined;
  }
  if (isAlive(note.pid)) return ageMs <= NOTE_STALE_MS ? note : undefined;
  if (ageMs > NOTE_FRESH_MS) await fs.unlink(path);
  return undefined;
}

/** EPERM: it lives and is another user's. */
function processIsAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}

function emptyIfSystem(error: unknown): string[] {
  if (errnoOf(error) === undefined) throw error;
  return []; // ENOENT: no server ever ran here; any other: status says what it can
}

/** ENOENT: it went away between listing and looking. Any other: one note less. */
function nothingIfSystem(error: unknown): undefined {
  if (errnoOf(error) === undefined) throw error;
  return undefined;
}

function quietly(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
