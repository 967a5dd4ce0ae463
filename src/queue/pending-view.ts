/**
 * One process's picture of what is pending, in every process's queue directory alike: names, sizes
 * and, for search, texts.
 *
 * Guarantees: `refresh` sees every record that was acknowledged before it was called, whichever
 * process wrote it, unless it has reached its next place by then. The directory is listed again
 * only when it may have changed. Texts are kept up to a bound; `unloaded` counts what is missing,
 * because it is beyond the bound or can not be read. However many ask at once, one of them reads
 * and the others find what it read. Changes nothing on disk.
 */

import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import type { Envelope } from "../record/envelope.ts";
import { pendingPath, type QueueLayout } from "./layout.ts";
import { sortNames } from "./pending-list.ts";
import { readPending } from "./read-pending.ts";
import { WatchedNames } from "./watched-names.ts";

export const TEXT_BYTES_MAX = 64 * 1_048_576;
const READS_AT_ONCE = 16;

export interface PendingSnapshot {
  /** Oldest first. */
  readonly ulids: readonly string[];
  readonly marked: ReadonlySet<string>;
}

/** A pending record as search and timeline need it. Without its JSON, which is as large again. */
export type PendingText = Omit<Envelope, "recordJson">;

export interface PendingTexts {
  /** Oldest first. */
  readonly envelopes: readonly PendingText[];
  /** Pending records that are not among them. */
  readonly unloaded: number;
}

/** How many texts are kept in memory, and which ids are given out to nobody. */
export interface TextLimits {
  readonly textBytesMax?: number;
  readonly hidden?: () => Promise<ReadonlySet<string>>;
}

const NOBODY: ReadonlySet<string> = new Set();

interface LoadedText {
  readonly envelope: PendingText;
  readonly bytes: number;
}

export class PendingView {
  readonly #fs: DurableFs;
  readonly #layout: QueueLayout;
  readonly #textBytesMax: number;
  readonly #names: WatchedNames<PendingSnapshot>;
  readonly #hidden: () => Promise<ReadonlySet<string>>;
  #sizes = new Map<string, number>();
  #texts = new Map<string, LoadedText>();
  #loading: Promise<unknown> = Promise.resolve();

  constructor(fs: DurableFs, layout: QueueLayout, clock: Clock, limits: TextLimits = {}) {
    this.#fs = fs;
    this.#layout = layout;
    this.#names = new WatchedNames({ fs, clock, directory: layout.dir, sort: sortNames });
    this.#textBytesMax = limits.textBytesMax ?? TEXT_BYTES_MAX;
    this.#hidden = limits.hidden ?? (async () => NOBODY);
  }

  /** The names as they are now. Who calls while a listing runs waits for the next one. */
  refresh(): Promise<PendingSnapshot> {
    return this.#names.current();
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

  /** All pending records with their texts, and how many are missing. */
  texts(): Promise<PendingTexts> {
    // One after another: the second finds what the first has read.
    const texts = this.#loading.then(() => this.#loadTexts());
    this.#loading = texts.catch(() => {}); // its own caller hears of it
    return texts;
  }

  async #loadTexts(): Promise<PendingTexts> {
    const hidden = await this.#hidden();
    const ulids = (await this.refresh()).ulids.filter((ulid) => !hidden.has(ulid));
    const known = this.#texts;
    const texts = new Map<string, LoadedText>();
    let bytes = 0;
    let unloaded = 0;
    let full = false;
    await eachOf(ulids, async (ulid) => {
      // Once one did not fit no further file is read: each question would read them all again.
      const loaded = known.get(ulid) ?? (full ? "missing" : await this.#load(ulid));
      if (loaded === undefined) return; // ingested meanwhile
      if (loaded === "missing") {
        unloaded++;
      } else if (loaded.bytes > this.#textBytesMax - bytes) {
        unloaded++;
        full = true;
      } else {
        bytes += loaded.bytes;
        texts.set(ulid, loaded);
      }
    });
    this.#texts = texts;
    const envelopes = ulids.map((ulid) => texts.get(ulid)?.envelope);
    return { envelopes: envelopes.filter((envelope) => envelope !== undefined), unloaded };
  }

  async #sizeOf(ulid: string): Promise<number | undefined> {
    try {
      return (await this.#fs.facts(pendingPath(this.#layout, ulid))).bytes;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined; // ingested meanwhile
      throw error;
    }
  }

  async #load(ulid: string): Promise<LoadedText | "missing" | undefined> {
    const look = await readPending(this.#fs, this.#layout, ulid);
    if (!look) return undefined;
    if (look.fault) return "missing";
    const { appendedAt, record, sha256, recordJson } = look.envelope;
    return { envelope: { ulid, appendedAt, record, sha256 }, bytes: 2 * recordJson.length };
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
