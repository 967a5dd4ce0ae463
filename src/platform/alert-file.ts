/**
 * A file that tells whoever looks into the data directory that something needs a person.
 *
 * Guarantees: never throws a system error and follows no symlink; what it tells of goes on whether
 * or not it can be written. Does not survive a power cut for sure: who raised it writes it anew while
 * the trouble lasts.
 */
import { dirname } from "node:path";
import { type DurableFsSync, factsIfThere } from "./durable-fs-sync.ts";
import { errnoOf } from "./errno.ts";
import { makeDirectories } from "./make-directories.ts";

export class AlertFile {
  readonly #fs: DurableFsSync;
  readonly #path: string;

  /** @param path its directory is made when there is something to tell */
  constructor(fs: DurableFsSync, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** @returns whether it stands there now */
  raise(lines: readonly string[]): boolean {
    return this.#quietly(() => {
      makeDirectories(this.#fs, dirname(this.#path));
      if (!this.#isReachable()) return false;
      this.#fs.replace(this.#path, lines.join("\n"), "none");
      return true;
    });
  }

  /** @returns whether it stood there and is gone now */
  clear(): boolean {
    return this.#quietly(() => {
      if (!this.#isReachable()) return false;
      this.#fs.unlink(this.#path);
      return true;
    });
  }

  #isReachable(): boolean {
    return factsIfThere(this.#fs, dirname(this.#path))?.kind === "directory";
  }

  /** ENOENT: no alert to clear. Any other: the event that goes with the alert says it, too. */
  #quietly(act: () => boolean): boolean {
    try {
      return act();
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return false;
    }
  }
}
