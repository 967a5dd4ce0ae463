/**
 * Renames and deletes the files of a rotated log.
 *
 * Guarantees: no step destroys a file that it did not mean, whoever else is at work and wherever a
 * process stops. A file moves in three steps: rename to a name that nobody else uses, hard link to
 * its new name (which refuses to overwrite), unlink of the name between. A file is deleted only
 * under such a name, after a look that it is the very one. A crash between steps leaves a file
 * under its name between: {@link LogFiles.recover} brings it home. Where a file system has no hard
 * links the second step is a look and a rename, and the lock is what keeps others away.
 *
 * With "fsync" a file's new name is on disk before the one between goes.
 */
import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { type DurableFsSync, factsIfThere, syncDirectorySync } from "./durable-fs-sync.ts";
import { errnoOf, isErrno, NO_LINK_ERRNOS } from "./errno.ts";
import { unsafePath } from "./open-log.ts";
import { type BackupSize, readLogFileName, slotPath } from "./rotation-policy.ts";

export interface LogFilesParts {
  readonly fs: DurableFsSync;
  /** Of the current file. */
  readonly path: string;
  readonly durability: "fsync" | "none";
  /**
   * Told the path of a backup that is about to go; throwing keeps it. May be told of the same bytes
   * again, by this or another process, if a crash or a late line came between.
   */
  readonly beforeDelete?: (path: string) => void;
}

export interface Backup extends BackupSize {
  readonly path: string;
  readonly ino: number;
}

/** What may befall a link that is to undo a rename: then only another rename can. */
const RENAMED_BACK = [
  ...NO_LINK_ERRNOS,
  "EIO",
  "ENOSPC",
  "EDQUOT",
  "EACCES",
  "EROFS",
  "EAGAIN",
  "EBUSY",
];

export class LogFiles {
  readonly #parts: LogFilesParts;
  readonly #fs: DurableFsSync;
  readonly #directory: string;
  readonly #base: string;
  #operation = "list";

  constructor(parts: LogFilesParts) {
    this.#parts = parts;
    this.#fs = parts.fs;
    this.#directory = dirname(parts.path);
    this.#base = basename(parts.path);
  }

  /** What was being done last, for whoever reports a failure of it. */
  get operation(): string {
    return this.#operation;
  }

  /** @throws MemspoolError UNSAFE_PATH if a backup's name is not a regular file */
  backups(): Backup[] {
    return this.#named("backup").flatMap(({ slot, path }) => {
      const facts = factsIfThere(this.#fs, path);
      if (!facts) return [];
      if (facts.kind !== "file") throw unsafePath(path, facts.kind);
      return [{ slot, path, bytes: facts.bytes, ino: facts.ino }];
    });
  }

  /** True if a crash left something to {@link recover}. */
  hasLeftovers(): boolean {
    return this.#named("moving").length > 0;
  }

  /** Brings home what a crash left between two names, and removes the locks of the dead. */
  recover(): void {
    for (const { slot, path } of this.#named("moving")) {
      const aside = this.#newName(slot);
      // A new name: whoever was at work on it finds it gone, and stops.
      if (!this.#renamed(path, aside)) continue;
      const { ino } = this.#fs.facts(aside);
      const backups = this.backups();
      const home = [...backups, factsIfThere(this.#fs, this.#parts.path)];
      if (home.some((file) => file?.ino === ino)) this.#remove(aside);
      else this.#giveName(aside, slotPath(this.#parts.path, freeSlot(backups, slot)));
    }
    for (const { path } of this.#named("old_lock")) this.#remove(path);
  }

  /** @throws what `beforeDelete` threw; EBUSY if the backup changed or was renamed meanwhile */
  drop(backup: Backup): void {
    this.#operation = "open";
    // As long as it is open, its inode number can not be given to another file.
    const fd = this.#fs.openRead(backup.path);
    try {
      const { ino, bytes } = this.#fs.factsOfDescriptor(fd);
      this.#operation = "before_delete";
      this.#parts.beforeDelete?.(backup.path);
      this.#operation = "rename";
      const aside = this.#newName(backup.slot);
      this.#fs.rename(backup.path, aside);
      const taken = this.#fs.facts(aside);
      if (taken.ino !== ino || taken.bytes !== bytes) {
        this.#putBack(aside, backup.path);
        throw Object.assign(new Error("EBUSY: the backup changed"), { code: "EBUSY" });
      }
      this.#operation = "unlink";
      this.#remove(aside);
    } finally {
      this.#fs.close(fd);
    }
  }

  /** From a slot to the next one; a target that is taken gives EEXIST and nothing has moved. */
  move(slot: number): void {
    const from = slotPath(this.#parts.path, slot);
    const aside = this.#newName(slot + 1);
    this.#operation = "rename";
    this.#fs.rename(from, aside);
    this.#giveName(aside, slotPath(this.#parts.path, slot + 1), from);
  }

  /**
   * Crash before the link: only the name between. Crash after it: both, and recovery sees so.
   * @param from where the file goes back to if the name can not be given
   */
  #giveName(aside: string, path: string, from?: string): void {
    this.#operation = "link";
    try {
      this.#link(aside, path, NO_LINK_ERRNOS);
    } catch (error) {
      if (from !== undefined) this.#putBack(aside, from);
      throw error;
    }
    if (this.#parts.durability === "fsync") {
      this.#operation = "directory fsync";
      syncDirectorySync(this.#fs, this.#directory);
    }
    this.#operation = "unlink";
    this.#remove(aside);
  }

  /** Without links, a look and a rename; also for errors that need not be about links. */
  #link(aside: string, path: string, renamedFor: readonly string[]): void {
    try {
      this.#fs.link(aside, path);
    } catch (error) {
      if (!renamedFor.includes(errnoOf(error) ?? "") || factsIfThere(this.#fs, path)) throw error;
      this.#fs.rename(aside, path);
    }
  }

  /**
   * After a failure, which is the one to tell. What can not be put back, such as a current file
   * whose name was taken meanwhile, waits under its name between for recovery.
   */
  #putBack(aside: string, path: string): void {
    try {
      this.#link(aside, path, RENAMED_BACK);
      this.#remove(aside);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    }
  }

  #renamed(from: string, to: string): boolean {
    this.#operation = "rename";
    try {
      this.#fs.rename(from, to);
      return true;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return false;
      throw error;
    }
  }

  #remove(path: string): void {
    try {
      this.#fs.unlink(path);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error; // another's recovery did it
    }
  }

  #newName(slot: number): string {
    return `${this.#parts.path}.moving-${slot}-${randomBytes(6).toString("hex")}`;
  }

  #named(kind: "backup" | "moving" | "old_lock"): { slot: number; path: string }[] {
    this.#operation = "list";
    return this.#fs.names(this.#directory).flatMap((name) => {
      const read = readLogFileName(this.#base, name);
      if (read?.kind !== kind) return [];
      const slot = read.kind === "old_lock" ? 0 : read.slot;
      return [{ slot, path: join(this.#directory, name) }];
    });
  }
}

function freeSlot(backups: readonly Backup[], wanted: number): number {
  const taken = new Set(backups.map(({ slot }) => slot));
  if (!taken.has(wanted)) return wanted;
  let free = 1;
  while (taken.has(free)) free++;
  return free;
}
