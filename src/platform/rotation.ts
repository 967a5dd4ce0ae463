/**
 * One rotation, under the lock: recover, look again, delete, move.
 *
 * Guarantees: what is done is decided by what lies there once the lock is held, not by what the
 * caller saw before: another process may have rotated meanwhile. When the lock is lost, the rest is
 * left to whoever took it; log-files.ts says why the step in hand does no harm.
 */
import { type DurableFsSync, factsIfThere } from "./durable-fs-sync.ts";
import type { Backup, LogFiles } from "./log-files.ts";
import { unsafePath } from "./open-log.ts";
import type { RotationLock } from "./rotation-lock.ts";
import { planRotation, type RotationLimits } from "./rotation-policy.ts";

export interface RotationParts {
  readonly fs: DurableFsSync;
  /** Of the current file. */
  readonly path: string;
  readonly files: LogFiles;
  readonly lock: RotationLock;
  readonly limits: RotationLimits;
  readonly onDropped: (backup: Backup) => void;
}

export class Rotation {
  readonly #parts: RotationParts;
  #locking = false;

  constructor(parts: RotationParts) {
    this.#parts = parts;
  }

  /** What was being done last, for whoever reports a failure of it. */
  get operation(): string {
    return this.#locking ? "lock" : this.#parts.files.operation;
  }

  /**
   * Makes room for a line of this size, if there is still none.
   * @returns the backups there are now; undefined if another process is at it
   * @throws the system error of the failing step, or what the caller's `beforeDelete` threw
   */
  makeRoom(lineBytes: number): Backup[] | undefined {
    return this.#locked(() => {
      const { files, limits } = this.#parts;
      files.recover();
      const backups = files.backups();
      const plan = planRotation(this.#currentBytes(), backups, lineBytes, limits);
      for (const slot of plan.drops) {
        if (!this.#drop(backups.find((backup) => backup.slot === slot))) return undefined;
      }
      for (const slot of plan.moves) {
        if (!this.#parts.lock.isOurs()) return undefined;
        files.move(slot);
      }
      return files.backups();
    });
  }

  /** Brings home what a crash left between two names, unless another process is at it. */
  recover(): void {
    if (this.#parts.files.hasLeftovers()) this.#locked(() => this.#parts.files.recover());
  }

  #drop(backup: Backup | undefined): boolean {
    const { files, lock, onDropped } = this.#parts;
    if (!backup || !lock.isOurs()) return false;
    files.drop(backup);
    onDropped(backup);
    return true;
  }

  #currentBytes(): number {
    const { fs, path } = this.#parts;
    const facts = factsIfThere(fs, path);
    if (facts && facts.kind !== "file") throw unsafePath(path, facts.kind);
    return facts?.bytes ?? 0;
  }

  #locked<T>(act: () => T): T | undefined {
    const { lock } = this.#parts;
    this.#locking = true;
    if (!lock.take()) return undefined;
    this.#locking = false;
    try {
      return act();
    } catch (error) {
      // A successor moved things under our hands: not a failure, it finishes what is left.
      if (lock.isTakenOver()) return undefined;
      throw error;
    } finally {
      lock.release();
    }
  }
}
