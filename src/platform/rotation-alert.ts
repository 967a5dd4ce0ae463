/**
 * A file that tells whoever looks into the data directory that the log can not be rotated.
 *
 * Guarantees: never throws a system error and follows no symlink; the log goes on whether or not
 * the alert can be written. Does not survive a power cut for sure: the next failure writes it anew.
 */
import { dirname } from "node:path";
import { type DurableFsSync, factsIfThere } from "./durable-fs-sync.ts";
import { errnoOf } from "./errno.ts";
import { makeDirectories } from "./make-directories.ts";

/** The alert's name below the directory for alerts. */
export const ROTATION_ALERT_NAME = "ALERT_LOG_ROTATION_FAILED.txt";

export interface RotationFailure {
  /** errno name, code of ours, or `unknown`. */
  readonly error: string;
  /** The step that failed, such as `lock` or `rename`. */
  readonly operation: string;
  readonly attempts: number;
  readonly retryInMs: number;
}

export class RotationAlert {
  readonly #fs: DurableFsSync;
  readonly #path: string;

  constructor(fs: DurableFsSync, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** @param logPath the file that goes on growing */
  raise(failure: RotationFailure, nowMs: number, logPath: string): void {
    const { error, operation, attempts, retryInMs } = failure;
    const lines = [
      "memspool can not rotate this log. Lines go on into the current file, which grows.",
      "",
      `time: ${new Date(nowMs).toISOString()}`,
      `file: ${logPath}`,
      `error: ${error}`,
      `operation: ${operation}`,
      `attempts: ${attempts}`,
      "",
      `The next line in ${Math.round(retryInMs / 1000)} s or later tries again; this file goes`,
      "when that succeeds. Look at the free space, and at the owner and mode of the directory.",
      "",
    ];
    this.#quietly(() => {
      makeDirectories(this.#fs, dirname(this.#path));
      if (this.#isReachable()) this.#fs.replace(this.#path, lines.join("\n"), "none");
    });
  }

  clear(): void {
    this.#quietly(() => {
      if (this.#isReachable()) this.#fs.unlink(this.#path);
    });
  }

  #isReachable(): boolean {
    return factsIfThere(this.#fs, dirname(this.#path))?.kind === "directory";
  }

  /** ENOENT: no alert to clear. Any other: the notice of the same failure says it, too. */
  #quietly(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    }
  }
}
