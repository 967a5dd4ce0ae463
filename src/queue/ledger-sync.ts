/**
 * Makes the ledger's lines durable before the records that they speak of leave the queue.
 *
 * Guarantees: after `sync` every line that was in the ledger when it was called, and that may be
 * about a record acknowledged since the given time, survives a power cut: file fsync, and the queue
 * directory's for a name that this object has not met. A ledger that did not grow costs one look.
 * Does not wait for receipts under way: a record that is ingested before its line was written can
 * lose that line to a power cut; the record itself is in the store by then.
 */
import { type Clock, systemClock } from "../platform/clock.ts";
import type { FileFacts } from "../platform/durable-fs.ts";
import {
  type DurableFsSync,
  factsIfThere,
  syncDirectorySync,
} from "../platform/durable-fs-sync.ts";
import { utcHour } from "./done-archive.ts";
import { ledgerHour, ledgerPath, type QueueLayout } from "./layout.ts";

const HOUR_MS = 3_600_000;
/** Beyond this many hours the directory's names are cheaper than a look at each hour's. */
const HOURS_LOOKED_AT_MAX = 48;
/** Ledgers that are remembered; beyond it all are synced once more. */
const KNOWN_MAX = 10_000;

interface Synced {
  readonly ino: number;
  readonly bytes: number;
}

export class LedgerSync {
  readonly #fs: DurableFsSync;
  readonly #layout: QueueLayout;
  readonly #clock: Clock;
  /** By hour. */
  readonly #synced = new Map<string, Synced>();
  /** A ledger was synced whose name was not yet. */
  #isNameNew = false;

  constructor(fs: DurableFsSync, layout: QueueLayout, clock: Clock = systemClock) {
    this.#fs = fs;
    this.#layout = layout;
    this.#clock = clock;
  }

  /**
   * @param sinceMs when the oldest of the records was appended; by its envelope, not by its id,
   *   which is later where the clock stepped back
   * @throws the system error of a ledger that can not be synced: nothing must be unlinked then
   */
  sync(sinceMs: number): void {
    for (const hour of this.#hoursSince(sinceMs)) this.#syncHour(hour);
    if (!this.#isNameNew) return;
    // Also when another process made the name: it may not have come to an fsync of its own.
    syncDirectorySync(this.#fs, this.#layout.dir);
    this.#isNameNew = false;
  }

  #syncHour(hour: string): void {
    const path = ledgerPath(this.#layout, hour);
    const facts = factsIfThere(this.#fs, path);
    if (facts?.kind !== "file") return; // none, or a thing that no line was written to
    const known = this.#synced.get(hour);
    if (known?.ino === facts.ino && known.bytes === facts.bytes) return;
    const synced = this.#fsync(path);
    if (this.#synced.size >= KNOWN_MAX) this.#synced.clear();
    this.#synced.set(hour, { ino: synced.ino, bytes: synced.bytes });
    this.#isNameNew ||= known?.ino !== synced.ino;
  }

  #fsync(path: string): FileFacts {
    const fd = this.#fs.openLog(path);
    try {
      const facts = this.#fs.factsOfDescriptor(fd);
      this.#fs.fsync(fd);
      return facts;
    } finally {
      this.#fs.close(fd);
    }
  }

  #hoursSince(sinceMs: number): Iterable<string> {
    const nowMs = this.#clock.nowMs();
    const from = Math.floor(Math.min(sinceMs, nowMs) / HOUR_MS);
    const to = Math.floor(Math.max(sinceMs, nowMs) / HOUR_MS);
    if (to - from >= HOURS_LOOKED_AT_MAX) return this.#ledgersFrom(utcHour(from * HOUR_MS));
    return Array.from({ length: to - from + 1 }, (_, index) => utcHour((from + index) * HOUR_MS));
  }

  #ledgersFrom(first: string): string[] {
    const hours = this.#fs.names(this.#layout.dir).map(ledgerHour);
    return hours.filter((hour) => hour !== undefined && hour >= first) as string[];
  }
}

/** When the oldest of these was appended, in milliseconds since 1970. */
export function oldestAppendMs(envelopes: readonly { readonly appendedAt: string }[]): number {
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const { appendedAt } of envelopes) oldestMs = Math.min(oldestMs, Date.parse(appendedAt));
  return oldestMs;
}
