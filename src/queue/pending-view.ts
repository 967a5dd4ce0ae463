/**
 * One process's picture of what is pending, in every process's queue directory alike: names, sizes
 * and, for search, texts.
 *
 * Guarantees: `refresh` sees every record that was acknowledged before it was called, whichever
 * process wrote it, unless it has reached its next place by then. The directory is listed again
 * only when it may have changed. Texts are kept up to TEXT_BYTES_MAX; beyond, `unloaded` counts
 * what is missing. Changes nothing on disk.
 */

import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import type { Envelope } from "../record/envelope.ts";
import { pendingPath, type QueueLayout } from "./layout.ts";
import { sortNames } from "./pending-list.ts";
import { readPending } from "./read-pending.ts";

export const TEXT_BYTES_MAX = 64 * 1_048_576;
const READS_AT_ONCE = 16;
/** Directory times are stamped by a coarse clock; younger ones do not prove anything. */
const SETTLED_MS = 2_500;

export interface PendingSnapshot {
  /** Oldest first. */
  readonly ulids: readonly string[];
  readonly marked: ReadonlySet<string>;
}

interface LoadedText {
  readonly envelope: Envelope;
  readonly bytes: number;
}

export class PendingView {
  readonly #fs: DurableFs;
  readonly #layout: QueueLayout;
  readonly #clock: Clock;
  #snapshot: PendingSnapshot = { ulids: [], marked: new Set() };
  #mtimeMs = Number.NaN;
  #running: Promise<PendingSnapshot> | undefined;
  #next: Promise<PendingSnapshot> | undefined;
  #sizes = new Map<string, number>();
  #texts = new Map<string, LoadedText>();

  constructor(fs: DurableFs, layout: QueueLayout, clock: Clock) {
    this.#fs = fs;
    this.#layout = layout;
    this.#clock = clock;
  }

  /** The names as they are now. Who calls while a listing runs waits for the next one. */
  refresh(): Promise<PendingSnapshot> {
    this.#next ??= this.#listNext();
    return this.#next;
  }

  /** Bytes of all pending envelopes. Stats only those that are new since the last call. */
  async pendingBytes(): Promise<number> {
    const { ulids } = await this.refresh();
    const known = this.#sizes;
    const sizes = new Map<string, number>();
    await eachOf(ulids, async (ulid) => {
      const bytes = known.get(ulid) ?? (await this.#sizeOf(ulid));
      if (bytes !== undefined) sizes.set(ulid, bytes);
    });
    this.#sizes = sizes;
    let total = 0;
    for (const bytes of sizes.values()) total += bytes;
    return total;
  }

  async bytesOf(ulid: string): Promise<number | undefined> {
    return this.#sizes.get(ulid) ?? this.#sizeOf(ulid);
  }

  /** All pending envelopes with their texts, oldest first, and how many did not fit. */
  async texts(): Promise<{ envelopes: Envelope[]; unloaded: number }> {
    const { ulids } = await this.refresh();
    const known = this.#texts;
    const texts = new Map<string, LoadedText>();
    let bytes = 0;
    let unloaded = 0;
    await eachOf(ulids, async (ulid) => {
      const room = TEXT_BYTES_MAX - bytes;
      const loaded = known.get(ulid) ?? (room > 0 ? await this.#load(ulid) : "no room");
      if (loaded === undefined) return; // ingested meanwhile, or at fault
      if (loaded === "no room" || loaded.bytes > TEXT_BYTES_MAX - bytes) {
        unloaded++;
        return;
      }
      bytes += loaded.bytes;
      texts.set(ulid, loaded);
    });
    this.#texts = texts;
    const envelopes = ulids.map((ulid) => texts.get(ulid)?.envelope);
    return { envelopes: envelopes.filter((envelope) => envelope !== undefined), unloaded };
  }

  async #listNext(): Promise<PendingSnapshot> {
    // The running listing may have begun before the caller's own capture was linked.
    await this.#running?.catch(() => {}); // its own callers hear of it
    this.#next = undefined;
    this.#running = this.#list();
    return this.#running;
  }

  async #list(): Promise<PendingSnapshot> {
    try {
      const { mtimeMs } = await this.#fs.facts(this.#layout.dir);
      if (mtimeMs === this.#mtimeMs) return this.#snapshot;
      this.#snapshot = sortNames(await this.#fs.names(this.#layout.dir));
      const settled = this.#clock.nowMs() - mtimeMs > SETTLED_MS;
      this.#mtimeMs = settled ? mtimeMs : Number.NaN;
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      this.#snapshot = { ulids: [], marked: new Set() }; // no queue yet
      this.#mtimeMs = Number.NaN;
    }
    return this.#snapshot;
  }

  async #sizeOf(ulid: string): Promise<number | undefined> {
    try {
      return (await this.#fs.facts(pendingPath(this.#layout, ulid))).bytes;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined; // ingested meanwhile
      throw error;
    }
  }

  async #load(ulid: string): Promise<LoadedText | undefined> {
    const envelope = await readPending(this.#fs, this.#layout, ulid);
    return envelope && { envelope, bytes: 2 * envelope.recordJson.length };
  }
}

/** Runs an action for each item, READS_AT_ONCE at a time. */
async function eachOf<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < items.length) await act(items[next++] as T);
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, items.length) }, lane));
}
