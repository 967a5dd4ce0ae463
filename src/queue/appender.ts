/**
 * The way of one record from the caller's object to its receipt: parse, id, place, envelope, publish,
 * ledger. capture-queue.ts says what a caller may rely on.
 *
 * Guarantees: everything of the caller's object is read before the first await. A place is given
 * back however the append ends. After `close`, appends under way end as they would and later ones
 * are refused; what is held open is let go with the last of them.
 */
import { MemspoolError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { SharedDirectorySync } from "../platform/shared-directory-sync.ts";
import { textSha256 } from "../record/content-hash.ts";
import { encodeEnvelope } from "../record/envelope.ts";
import type { MemoryRecord } from "../record/memory-record.ts";
import { RecordIds } from "../record/record-id.ts";
import { newestIds } from "./high-water.ts";
import type { QueueLayout } from "./layout.ts";
import { Ledger } from "./ledger.ts";
import type { MarkMemory } from "./mark-memory.ts";
import { boundQueue, type Overflow } from "./overflow.ts";
import { sortNames } from "./pending-list.ts";
import { prepareDirectories } from "./prepare-queue.ts";
import { captureFailed, type EncodedEnvelope, publish } from "./publish.ts";
import { ofRepeat } from "./repeated-attempt.ts";
import type { OverflowPolicy } from "./room.ts";

/** Proof that a record is on disk. */
export interface CaptureReceipt {
  readonly ulid: string;
  /** SHA-256 of the text, hexadecimal. */
  readonly sha256: string;
  readonly state: "pending";
  /** ISO 8601. */
  readonly appended_at: string;
}

export interface AppenderParts {
  readonly fs: DurableFs;
  readonly fsSync: DurableFsSync;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  readonly textBytesMax: number;
  readonly parse: (record: MemoryRecord, textBytesMax: number) => MemoryRecord;
  readonly maxRecords: number;
  readonly policy: OverflowPolicy;
  readonly alertsDir: string | undefined;
  readonly markMemory: MarkMemory | undefined;
}

/** What an append does not make up by itself. */
export interface KnownOfAppend {
  readonly ulid: string | undefined;
  /** ISO 8601. */
  readonly appendedAt?: string;
}

export class Appender {
  readonly #parts: AppenderParts;
  readonly #ids: RecordIds;
  readonly #directory: SharedDirectorySync;
  readonly #ledger: Ledger;
  readonly #overflow: Overflow;
  #prepared: Promise<void> | undefined;
  #appending = 0;
  #closed = false;

  constructor(parts: AppenderParts) {
    const { fs, fsSync, layout, clock, events } = parts;
    this.#parts = parts;
    this.#ids = new RecordIds(clock);
    this.#directory = new SharedDirectorySync(fs, layout.dir, (errno) =>
      events.emit("directory_fsync_missing", { errno }),
    );
    this.#ledger = new Ledger({ fs: fsSync, layout, clock, events });
    this.#overflow = boundQueue({ ...parts, ledger: this.#ledger });
  }

  /** @throws as CaptureQueue.append */
  async append(record: MemoryRecord, known: KnownOfAppend): Promise<CaptureReceipt> {
    if (this.#closed) throw ofRepeat(shuttingDown(), known.ulid);
    const startedMs = this.#parts.clock.monotonicMs();
    // Everything of the caller's object is read before the first await.
    const parsed = this.#parts.parse(record, this.#parts.textBytesMax);
    const recordJson = JSON.stringify(parsed);
    const sha256 = textSha256(parsed.surface);
    this.#appending++;
    try {
      await this.#prepare();
      const ulid = known.ulid ?? this.#ids.next();
      const waiting = this.#overflow.room.take(ulid);
      if (waiting) await waiting;
      const appendedAt = known.appendedAt ?? new Date(this.#parts.clock.nowMs()).toISOString();
      const bytes = encodeEnvelope(ulid, appendedAt, recordJson, sha256);
      const publishedAt = await this.#publishNoted(
        { ulid, bytes, sha256, appendedAt },
        known.ulid !== undefined,
      );
      const ms = this.#parts.clock.monotonicMs() - startedMs;
      this.#parts.events.emit("capture_appended", { ulid, bytes: bytes.length, ms });
      return { ulid, sha256, state: "pending", appended_at: publishedAt };
    } catch (error) {
      const told = ofRepeat(error, known.ulid);
      this.#reportFailure(told);
      throw told;
    } finally {
      this.#appending--;
      if (this.#closed && this.#appending === 0) await this.#release();
    }
  }

  /** @throws as CaptureQueue.check */
  check(record: MemoryRecord): void {
    this.#parts.parse(record, this.#parts.textBytesMax);
  }

  /** See CaptureQueue.noteReturned. */
  noteReturned(): void {
    this.#overflow.room.cameBack();
  }

  /** Waits for nobody. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#appending === 0) await this.#release();
  }

  /** Publishes in the place that was reserved, and enters the id in the ledger before the receipt. */
  async #publishNoted(envelope: EncodedEnvelope, isRepeat: boolean): Promise<string> {
    let outcome: "noted" | "none" | "unknown" = "unknown";
    try {
      const appendedAt = await this.#publish(envelope);
      await this.#ledger.note(envelope.ulid);
      outcome = "noted";
      return appendedAt;
    } catch (error) {
      const stored = error instanceof MemspoolError ? error.details.stored : "unknown";
      // Of an id that was there before, the earlier envelope may still be pending.
      if (stored === "no" && !isRepeat) outcome = "none";
      throw error;
    } finally {
      this.#overflow.room.done(envelope.ulid, outcome);
    }
  }

  async #release(): Promise<void> {
    this.#overflow.close();
    this.#ledger.close();
    await this.#directory.close();
  }

  /** Once a process: directories, and ids that continue behind the newest on disk. */
  #prepare(): Promise<void> {
    this.#prepared ??= this.#prepareOnce().catch((error: unknown) => {
      this.#prepared = undefined; // the next append tries again
      throw error;
    });
    return this.#prepared;
  }

  async #prepareOnce(): Promise<void> {
    const { fs, fsSync, layout, clock, events } = this.#parts;
    prepareDirectories(fsSync, layout);
    let ids: readonly string[];
    try {
      const mark = this.#ledger.mark();
      const { ulids } = sortNames(await fs.names(layout.dir));
      this.#overflow.room.learn(ulids, mark);
      ids = await newestIds(fs, layout, clock.nowMs(), ulids);
    } catch (error) {
      throw captureFailed("listing of the queue directory", error, "no");
    }
    for (const ulid of ids) {
      const { ignoredAheadMs } = this.#ids.startAfter(ulid);
      if (ignoredAheadMs > 0) {
        events.emit("id_ahead_ignored", { ulid, ahead_ms: Math.round(ignoredAheadMs) });
      }
    }
  }

  /** @returns `appended_at` of the envelope on disk */
  async #publish(envelope: EncodedEnvelope): Promise<string> {
    const { fs, fsSync, layout } = this.#parts;
    const parts = { fs, layout, directory: this.#directory };
    try {
      return await publish(parts, envelope);
    } catch (error) {
      const { errno, stored } = error instanceof MemspoolError ? error.details : {};
      if (errno !== "ENOENT" || stored !== "no") throw error;
      // Somebody removed the directory, before the temp file or under it: make it again, once.
      prepareDirectories(fsSync, layout);
      return publish(parts, envelope);
    }
  }

  #reportFailure(error: unknown): void {
    if (!(error instanceof MemspoolError)) return;
    this.#parts.events.emit("capture_failed", {
      code: error.code,
      stored: error.details.stored === "unknown" ? "unknown" : "no",
      errno: String(error.details.errno ?? ""),
    });
  }
}

function shuttingDown(): MemspoolError {
  return new MemspoolError(
    "SHUTTING_DOWN",
    "memspool is stopping and takes no more captures. Nothing was stored; capture again later.",
    { details: { stored: "no" } },
  );
}
