/**
 * How often somebody has said these very words in this session, without reading the transcript: a
 * mark for each time, `hooks/turns/<session>/<role>-<words>-<nth>`, that holds the client's own name
 * of the turn.
 *
 * Guarantees: of any number of hooks at once, each gets a number of its own, unless they tell of the
 * same turn: then they get the same number, and with it the same idempotency key. A mark is made
 * before its turn is captured and never taken back: a hook that dies between leaves a number that
 * an import of the transcript fills, while the other order would give the next turn a number that is
 * taken and lose it. Names are hashes: no id and no word becomes part of a path.
 * Does not guarantee to recognise a turn that the client does not name: told twice, it is two.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { isErrno, NO_LINK_ERRNOS } from "../platform/errno.ts";
import { textSha256 } from "../record/content-hash.ts";
import type { HooksDirectory } from "./hooks-directory.ts";

const HASH_DIGITS = 32;
/** Nobody says the same this often; beyond it a turn has a number that nobody else will have. */
const TIMES_MAX = 10_000;
/** A client forgets its own sessions after 30 days unless told otherwise. */
export const SESSION_AGE_MAX_MS = 60 * 24 * 3_600_000;
const SWEPT_SESSIONS_MAX = 100;

export interface SaidTurn {
  readonly client: string;
  readonly sessionId: string;
  readonly role: string;
  /** As it will be stored. */
  readonly surface: string;
  readonly turnId: string | undefined;
}

/**
 * @returns from 1: which time this is
 * @throws system errors
 */
export function markTurn({ turnsDir }: HooksDirectory, said: SaidTurn): number {
  const session = shortHash(`${said.client}\n${said.sessionId}`);
  const dir = join(turnsDir, session);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const name = `${said.role}-${textSha256(said.surface).slice(0, HASH_DIGITS)}`;
  const content = said.turnId === undefined ? "" : shortHash(said.turnId);
  const made = join(dir, `.new-${process.pid}-${randomBytes(6).toString("hex")}`);
  writeNew(made, content);
  try {
    for (let nth = 1; nth <= TIMES_MAX; nth++) {
      const path = join(dir, `${name}-${nth}`);
      if (publishMark(made, path, content)) return nth;
      if (content !== "" && markAt(path) === content) return nth;
    }
    return Date.now();
  } finally {
    unlinkSync(made);
  }
}

/**
 * Removes the marks of sessions that nobody will go on with; some at a time.
 * @returns sessions that were removed
 */
export function sweepSessions({ turnsDir }: HooksDirectory, nowMs: number): number {
  let removed = 0;
  for (const name of namesIn(turnsDir)) {
    if (removed === SWEPT_SESSIONS_MAX) break;
    const path = join(turnsDir, name);
    if (nowMs - statSync(path).mtimeMs <= SESSION_AGE_MAX_MS) continue;
    rmSync(path, { recursive: true, force: true });
    removed++;
  }
  return removed;
}

/** The mark's content is there with its name, so that nobody reads it half made. */
function publishMark(made: string, path: string, content: string): boolean {
  try {
    linkSync(made, path);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    if (!isErrno(error, ...NO_LINK_ERRNOS)) throw error;
  }
  try {
    writeNew(path, content);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  }
}

function writeNew(path: string, content: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    if (content !== "") writeSync(fd, content);
  } finally {
    closeSync(fd);
  }
}

function markAt(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return ""; // swept a moment ago
    throw error;
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, HASH_DIGITS);
}
