/**
 * A log of lines in a file of bounded size with a bounded number of backups, for any number of
 * writers in any number of processes. rotation-policy.ts says which files there are.
 *
 * Guarantees: when `append` returns, the line is whole, in one of the files, once; with "fsync" it
 * survives a power cut. A line is one write to a file opened for appending, so lines of several
 * writers do not mix. Before each line a writer looks whether the path still names its file, and
 * opens the new one if it was rotated or deleted; after it, whether the file was deleted meanwhile,
 * and then writes the line again. A line that overtakes a rotation may end up in the first backup.
 * Only the oldest backup is ever deleted, to keep the limits. A failing rotation never fails a
 * line: the current file grows on, and rotation-attempts.ts says when it is tried again.
 * A torn line, of a full disk or a dead process, is ended before the next line: readers find it on
 * a line of its own, and skip lines that are empty.
 *
 * Does not guarantee: order between writers; the limits while rotation fails; a line whose writer
 * was held between look and write for so long that its file became the oldest backup and was
 * deleted in the instant after the second look. Synchronous: a line costs a few system calls, a
 * rotation a few for each backup, and nothing sleeps.
 */
import { MemspoolError } from "../errors.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type DurableFsSync, nodeDurableFsSync } from "./durable-fs-sync.ts";
import { errnoOf } from "./errno.ts";
import { LogFiles } from "./log-files.ts";
import { asLine, OpenLog } from "./open-log.ts";
import { Rotation } from "./rotation.ts";
import { RotationAlert, type RotationFailure } from "./rotation-alert.ts";
import { RotationAttempts, type Schedule } from "./rotation-attempts.ts";
import { RotationLock } from "./rotation-lock.ts";
import {
  type BackupSize,
  checkLimits,
  NEAR_LIMIT_PCT,
  planRotation,
  type RotationLimits,
} from "./rotation-policy.ts";

/** What a writer says about itself. */
export type RotationNotice =
  | ({ readonly kind: "rotation_failed" } & RotationFailure)
  | { readonly kind: "rotation_recovered"; readonly awayMs: number }
  /** Once in a writer's life. */
  | { readonly kind: "near_limit"; readonly usedBytes: number; readonly limitBytes: number }
  | { readonly kind: "backup_deleted"; readonly bytes: number };

export interface RotatingFileOptions {
  /** Absolute; its directory is made if it is missing. */
  readonly path: string;
  readonly limits: RotationLimits;
  /** "fsync": a line, and the name of the file it is in, are on disk when `append` returns. */
  readonly durability: "fsync" | "none";
  /** Path of the file that says that rotation fails. */
  readonly alertPath: string;
  /** See {@link LogFiles}; called in the midst of an append, as the next one is. */
  readonly beforeDelete?: (path: string) => void;
  /** Must neither throw nor append. */
  readonly onNotice?: (notice: RotationNotice) => void;
  readonly fs?: DurableFsSync;
  readonly clock?: Clock;
  readonly schedule?: Schedule;
}

/** A file that vanishes this many times under one line is a fault. */
const TRIES_MAX = 3;

export class RotatingFile {
  readonly #options: RotatingFileOptions;
  readonly #fs: DurableFsSync;
  readonly #files: LogFiles;
  readonly #rotation: Rotation;
  readonly #attempts: RotationAttempts;
  readonly #notify: (notice: RotationNotice) => void;
  #file: OpenLog | undefined;
  #backups: readonly BackupSize[] = [];
  #backupBytes = 0;
  #nearLimitSaid = false;
  #closed = false;

  /** @throws TypeError for limits that can not be kept together */
  constructor(options: RotatingFileOptions) {
    const { path, limits, durability, beforeDelete } = options;
    checkLimits(limits);
    const fs = options.fs ?? nodeDurableFsSync;
    const clock = options.clock ?? systemClock;
    this.#options = options;
    this.#fs = fs;
    this.#notify = options.onNotice ?? (() => {});
    this.#files = new LogFiles({ fs, path, durability, ...(beforeDelete && { beforeDelete }) });
    this.#rotation = new Rotation({
      fs,
      path,
      files: this.#files,
      lock: new RotationLock(fs, `${path}.lock`, clock),
      limits,
      onDropped: ({ bytes }) => this.#notify({ kind: "backup_deleted", bytes }),
    });
    this.#attempts = new RotationAttempts({
      rotate: (lineBytes) => this.#rotate(lineBytes),
      operation: () => this.#rotation.operation,
      isComplete: () => !this.#files.hasLeftovers(),
      path,
      alert: new RotationAlert(fs, options.alertPath),
      clock,
      schedule: options.schedule ?? scheduleUnreferenced,
      onFailed: (failure) => this.#notify({ kind: "rotation_failed", ...failure }),
      onRecovered: (awayMs) => this.#notify({ kind: "rotation_recovered", awayMs }),
    });
  }

  /**
   * Opens the file now instead of with the first line, and brings home what a crash left.
   * @throws as {@link RotatingFile.append}
   */
  open(): void {
    this.#current();
  }

  /**
   * @param line a line feed is added if it has none at its end
   * @throws MemspoolError UNSAFE_PATH if the path is a symlink or no regular file; the system error
   *   of opening, writing or syncing: after a failed write or fsync the line may be there, torn or
   *   whole
   */
  append(line: Uint8Array | string): void {
    if (this.#closed) throw new TypeError("the file is closed");
    const bytes = asLine(line);
    let file = this.#current();
    this.#warnNearLimit(file.bytes + bytes.length);
    if (this.#isDue(file.bytes, bytes.length)) {
      this.#attempts.request(bytes.length);
      file = this.#current();
    } else {
      this.#attempts.notDue();
    }
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      this.#write(file, bytes);
      if (!file.isDeleted()) return;
      this.#closeFile(); // deleted between look and write, and the line with it
      file = this.#current();
    }
    throw Object.assign(new Error("ESTALE: the file keeps vanishing"), { code: "ESTALE" });
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#attempts.close();
    this.#closeFile();
  }

  /** The file that the path names at this moment. */
  #current(): OpenLog {
    const before = this.#file;
    try {
      if (before?.look()) return before;
      this.#file = new OpenLog({ ...this.#options, fs: this.#fs });
    } catch (error) {
      // No new file can be made, or not even be looked for: a line in one that was renamed is
      // better than none.
      if (before && errnoOf(error) !== undefined && !before.isDeleted()) return before;
      throw error;
    }
    before?.close();
    this.#measure(before === undefined);
    return this.#file;
  }

  /** Not a line's business: what is wrong here, the next rotation reports. */
  #measure(first: boolean): void {
    try {
      if (first) this.#rotation.recover();
      this.#keep(this.#files.backups());
    } catch (error) {
      if (errnoOf(error) === undefined && !(error instanceof MemspoolError)) throw error;
      this.#keep([]);
    }
  }

  #keep(backups: readonly BackupSize[]): void {
    this.#backups = backups;
    this.#backupBytes = backups.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #rotate(lineBytes: number): boolean {
    const backups = this.#rotation.makeRoom(lineBytes);
    if (backups) this.#keep(backups);
    return backups !== undefined;
  }

  #isDue(fileBytes: number, lineBytes: number): boolean {
    const { limits } = this.#options;
    const withLine = fileBytes + lineBytes;
    const fits = withLine <= limits.fileBytesMax;
    if (fits && withLine + this.#backupBytes <= limits.totalBytesMax) return false;
    const { drops, moves } = planRotation(fileBytes, this.#backups, lineBytes, limits);
    return drops.length + moves.length > 0;
  }

  #warnNearLimit(withLineBytes: number): void {
    if (this.#nearLimitSaid) return;
    const limitBytes = this.#options.limits.totalBytesMax;
    const usedBytes = withLineBytes + this.#backupBytes;
    if (usedBytes * 100 < limitBytes * NEAR_LIMIT_PCT) return;
    this.#nearLimitSaid = true;
    this.#notify({ kind: "near_limit", usedBytes, limitBytes });
  }

  #write(file: OpenLog, line: Uint8Array): void {
    try {
      file.write(line);
    } catch (error) {
      this.#closeFile();
      throw error;
    }
  }

  #closeFile(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

function scheduleUnreferenced(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}
