/**
 * A directory's names as they are now, listed again only when the directory may have changed.
 *
 * Guarantees: `current` sees every name that was there before it was called and still is. Who calls
 * while a listing runs waits for the next one, which everybody who waits then shares. A directory
 * that is not there has no names. Changes nothing on disk.
 */
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";

/** Directory times are stamped by a coarse clock; younger ones do not prove anything. */
const SETTLED_MS = 2_500;

export interface WatchedNamesParts<T> {
  readonly fs: DurableFs;
  readonly clock: Clock;
  readonly directory: string;
  /** What is made of the names. */
  readonly sort: (names: readonly string[]) => T;
}

export class WatchedNames<T> {
  readonly #parts: WatchedNamesParts<T>;
  #sorted: T;
  /** The directory as it was when it was listed, if that proves anything. */
  #seen: { readonly ino: number; readonly mtimeMs: number } | undefined;
  #running: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(parts: WatchedNamesParts<T>) {
    this.#parts = parts;
    this.#sorted = parts.sort([]);
  }

  /** @throws the system error of the directory */
  current(): Promise<T> {
    this.#next ??= this.#listNext();
    return this.#next;
  }

  async #listNext(): Promise<T> {
    // The running listing may have begun before the caller's own name was linked.
    await this.#running?.catch(() => {}); // its own callers hear of it
    this.#next = undefined;
    this.#running = this.#list();
    return this.#running;
  }

  async #list(): Promise<T> {
    const { fs, clock, directory, sort } = this.#parts;
    try {
      const { ino, mtimeMs } = await fs.facts(directory);
      if (ino === this.#seen?.ino && mtimeMs === this.#seen.mtimeMs) return this.#sorted;
      this.#sorted = sort(await fs.names(directory));
      const settled = clock.nowMs() - mtimeMs > SETTLED_MS;
      this.#seen = settled ? { ino, mtimeMs } : undefined;
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      this.#sorted = sort([]); // no queue yet
      this.#seen = undefined;
    }
    return this.#sorted;
  }
}
