/**
 * The alert that the log can not be rotated: what it says, and when it goes. See alert-file.ts for
 * what writing it guarantees; the next failure writes it anew.
 */
import { AlertFile } from "./alert-file.ts";
import type { DurableFsSync } from "./durable-fs-sync.ts";

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
  readonly #file: AlertFile;

  constructor(fs: DurableFsSync, path: string) {
    this.#file = new AlertFile(fs, path);
  }

  /** @param logPath the file that goes on growing */
  raise(failure: RotationFailure, nowMs: number, logPath: string): void {
    const { error, operation, attempts, retryInMs } = failure;
    this.#file.raise([
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
    ]);
  }

  clear(): void {
    this.#file.clear();
  }
}
