/**
 * Puts a finished database file in the place of the one that is there.
 *
 * Guarantees: an intent file decides. Before it is durable the old database is the one; from then on
 * the new one is, and whoever opens the store next (connection.ts) ends what a crash interrupted,
 * also several at once. At no step does the path name nothing where there are hard links, an empty
 * database, or a new database beside an old one's log, which SQLite would replay into it. The old
 * database and its log are kept under another name. Connections that others hold to the old one go
 * on reading it; SQLite itself sees that its file was moved and neither copies nor removes a log
 * when such a connection is closed.
 * Does not keep anybody from committing to the old database meanwhile: the caller holds its lock.
 *
 * | step | call | a crash right after it leaves | who comes next |
 * |---|---|---|---|
 * | 1 | intent: temp, fsync, link, fsync | the old one and an intent | goes on at step 2 |
 * | 2 | link the old log → kept name; rename, unlink | the old one, maybe without its log, never opened so | goes on |
 * | 3 | the old log's index: rename, unlink | the same, maybe a stray name | goes on |
 * | 4 | link the old one → kept name, fsync | both names of it | goes on |
 * | 5 | rename the new one over the old one, fsync | the new one and an intent | goes on at step 6 |
 * | 6 | unlink the intent, fsync | the new one | |
 */
import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { MemspoolError } from "../../errors.ts";
import {
  type DurableFsSync,
  factsIfThere,
  syncDirectorySync,
  unlinkIfThere,
  writeAllSync,
} from "../../platform/durable-fs-sync.ts";
import { errnoOf, isErrno, NO_LINK_ERRNOS } from "../../platform/errno.ts";
import { unavailable } from "./errors.ts";

/** Beside the database. */
export const INTENT_NAME = "replace-intent.json";

export interface Replacement {
  /** File name of the finished database, closed and without a log. */
  readonly newName: string;
  /** Its inode number: what the path names when it is done. */
  readonly newIno: number;
  /** File name under which the old database is kept. */
  readonly keptName: string;
}

const INTENT_BYTES_MAX = 4_096;
/** A name of this directory and no other. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/;

/**
 * Decides for the new database: durable when this returns. {@link finishReplacement} does it.
 * @throws MemspoolError STORE_UNAVAILABLE; then the old one stays, unless the intent could not even
 *   be taken back
 */
export function decideReplacement(fs: DurableFsSync, file: string, replacement: Replacement): void {
  const directory = dirname(file);
  const intent = join(directory, INTENT_NAME);
  const temp = `${intent}.tmp-${randomBytes(6).toString("hex")}`;
  wrapErrors(() => {
    const fd = fs.openExclusive(temp);
    try {
      writeAllSync(
        fs,
        fd,
        Buffer.from(JSON.stringify({ version: 1, name: basename(file), ...replacement })),
      );
      fs.fsync(fd);
    } finally {
      fs.close(fd);
    }
    try {
      publish(fs, temp, intent);
    } finally {
      unlinkIfThere(fs, temp);
    }
    try {
      syncDirectorySync(fs, directory);
    } catch (error) {
      unlinkIfThere(fs, intent);
      throw error;
    }
  });
}

/**
 * Ends what an intent beside the database asks for; nothing without one. Harmless when repeated, cut
 * short, or done by several at once.
 * @throws MemspoolError STORE_UNAVAILABLE; the intent stays and the next opening tries again
 */
export function finishReplacement(fs: DurableFsSync, file: string): void {
  wrapErrors(() => {
    const replacement = readIntent(fs, file);
    if (replacement === undefined) return;
    const directory = dirname(file);
    const { newName, newIno, keptName } = replacement;
    const made = factsIfThere(fs, join(directory, newName));
    if (made?.ino === newIno && factsIfThere(fs, file)?.ino !== newIno) {
      setAside(fs, file, join(directory, keptName), newIno);
      // Gone: another one was faster.
      renameIfThere(fs, join(directory, newName), file);
      syncDirectorySync(fs, directory);
    } else if (factsIfThere(fs, file)?.ino !== newIno) {
      putBack(fs, file, join(directory, keptName), made !== undefined);
    }
    unlinkIfThere(fs, join(directory, INTENT_NAME));
    syncDirectorySync(fs, directory);
  });
}

/** True while a replacement is decided and not yet done. */
export function isBeingReplaced(fs: DurableFsSync, file: string): boolean {
  return wrapErrors(() => readIntent(fs, file) !== undefined);
}

/**
 * Names of the old database go to the kept name; its own stays until it is overwritten. The log's
 * index goes for good: whoever has the old database open would share it with the new one.
 */
function setAside(fs: DurableFsSync, file: string, kept: string, newIno: number): void {
  const log = factsIfThere(fs, `${file}-wal`);
  const index = factsIfThere(fs, `${file}-shm`);
  const old = factsIfThere(fs, file);
  // Somebody else did it all before we looked: log and index are the new one's.
  if (old?.ino === newIno) return;
  const stray = `${kept}-stray-${randomBytes(6).toString("hex")}`;
  if (log !== undefined) keepLog(fs, file, kept, stray, log.ino);
  if (index !== undefined) removeSeen(fs, `${file}-shm`, stray, index.ino);
  if (old !== undefined) linkOrMove(fs, file, kept, old.ino);
  syncDirectorySync(fs, dirname(file));
}

/**
 * Its second name comes first, and never over another file: whoever overtakes us has kept it already.
 * A log beside a kept one is of somebody who opened the old database too early and wrote nothing.
 */
function keepLog(fs: DurableFsSync, file: string, kept: string, stray: string, ino: number): void {
  try {
    fs.link(`${file}-wal`, `${kept}-wal`);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return; // another one took it away
    if (isErrno(error, ...NO_LINK_ERRNOS) && factsIfThere(fs, `${kept}-wal`) === undefined) {
      renameIfThere(fs, `${file}-wal`, `${kept}-wal`);
      return;
    }
    if (!isErrno(error, "EEXIST", ...NO_LINK_ERRNOS)) throw error;
  }
  removeSeen(fs, `${file}-wal`, stray, ino);
}

/** Removes the file that was seen; another one, the new database's meanwhile, goes back. */
function removeSeen(fs: DurableFsSync, path: string, stray: string, ino: number): void {
  if (!renameIfThere(fs, path, stray)) return; // another one removed it
  if (factsIfThere(fs, stray)?.ino === ino) unlinkIfThere(fs, stray);
  else fs.rename(stray, path);
}

function renameIfThere(fs: DurableFsSync, from: string, to: string): boolean {
  try {
    fs.rename(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

function linkOrMove(fs: DurableFsSync, file: string, kept: string, ino: number): void {
  try {
    fs.link(file, kept);
  } catch (error) {
    if (isErrno(error, "EEXIST") && factsIfThere(fs, kept)?.ino === ino) return; // done before
    // Without links there is a moment without a name; the intent keeps openers out of it.
    if (!isErrno(error, ...NO_LINK_ERRNOS)) throw error;
    fs.rename(file, kept);
  }
}

/**
 * The new database was taken away by hand: the old one gets back what it gave. Or all files are copies
 * with other numbers, made in the midst of it: the old one is still under its name while the new one
 * is under its own; once that is gone, beside a kept one, it has taken the old one's place, and the
 * old one's log must not come near it.
 */
function putBack(fs: DurableFsSync, file: string, kept: string, newIsThere: boolean): void {
  const keptFacts = factsIfThere(fs, kept);
  const old = factsIfThere(fs, file);
  if (old && keptFacts && keptFacts.ino !== old.ino && !newIsThere) return;
  if (old === undefined && keptFacts) fs.rename(kept, file);
  else if (keptFacts && keptFacts.ino === old?.ino) unlinkIfThere(fs, kept);
  if (factsIfThere(fs, `${kept}-wal`) && !factsIfThere(fs, `${file}-wal`)) {
    fs.rename(`${kept}-wal`, `${file}-wal`);
  }
}

function publish(fs: DurableFsSync, temp: string, intent: string): void {
  try {
    fs.link(temp, intent);
  } catch (error) {
    if (!isErrno(error, ...NO_LINK_ERRNOS)) throw error;
    fs.rename(temp, intent);
  }
}

function readIntent(fs: DurableFsSync, file: string): Replacement | undefined {
  let fd: number;
  try {
    fd = fs.openRead(join(dirname(file), INTENT_NAME));
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
  try {
    const content = Buffer.alloc(INTENT_BYTES_MAX);
    return parseIntent(content.toString("utf8", 0, fs.read(fd, content)), basename(file));
  } finally {
    fs.close(fd);
  }
}

/**
 * It was whole when it got its name; one that is not was changed since, and nothing is guessed.
 * @returns undefined for a replacement of another database in this directory
 */
function parseIntent(text: string, ownName: string): Replacement | undefined {
  try {
    const { version, name, newName, newIno, keptName } = JSON.parse(text) as Record<
      string,
      unknown
    >;
    const names = [name, newName, keptName];
    const plain = names.every((each) => typeof each === "string" && PLAIN_NAME.test(each));
    if (version === 1 && plain && new Set(names).size === 3 && Number.isSafeInteger(newIno)) {
      return name === ownName ? ({ newName, newIno, keptName } as Replacement) : undefined;
    }
  } catch {
    // not JSON: the same answer
  }
  throw unavailable("intent");
}

function wrapErrors<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    const errno = error instanceof MemspoolError ? undefined : errnoOf(error);
    if (errno === undefined) throw error;
    const reason = errno === "ENOSPC" || errno === "EDQUOT" ? "full" : "cantopen";
    throw unavailable(reason, { cause: error, details: { errno } });
  }
}
