/**
 * The capture queue: a directory in which one file is one record. docs/QUEUE_FORMAT.md in short:
 *
 *   append ──▶ pending-<ulid>.json ──▶ handler ──▶ unlinked
 *                     │  ▲    claim: pending-<ulid>.lock, touched while the handler runs
 *             failed  ▼  │ retry
 *              envelope + mark ──▶ quarantine/ (the record's own fault, attempts spent)
 *
 * Guarantees
 * - `append` resolves only when the envelope is whole on disk under its name and the name is
 *   durable (temp `wx` → write all → fsync → size check → link → directory fsync). When it
 *   rejects, the error's `details.stored` says "no" or "unknown"; "unknown" is repeated with
 *   `retryUlid` and can not store twice.
 * - Its cost does not depend on how many records are pending; concurrent appends share directory
 *   fsyncs.
 * - Any number of processes may append to and ingest from one directory at once.
 * - `ingestPending` hands out each record at least once, oldest first, and one bad record never
 *   keeps the others waiting. Handlers must be idempotent by id.
 * Does not guarantee: exactly one call of the handler through a crash; order between processes
 * within a millisecond; anything on a disk that lies about fsync.
 */
import { MemspoolError } from "../errors.ts";
import { type Events, silentEvents } from "../events/catalogue.ts";
import { type Clock, systemClock } from "../platform/clock.ts";
import { type DurableFs, nodeDurableFs } from "../platform/durable-fs.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import { SharedDirectorySync } from "../platform/shared-directory-sync.ts";
import { textSha256 } from "../record/content-hash.ts";
import { encodeEnvelope } from "../record/envelope.ts";
import { RECORD_TEXT_BYTES_MAX } from "../record/limits.ts";
import { type MemoryRecord, parseRecord, ulidSchema } from "../record/memory-record.ts";
import { RecordIds, ulidTimeMs } from "../record/record-id.ts";
import { ensureQueueDirectories } from "./directories.ts";
import { newestIds } from "./high-water.ts";
import { IngestPass, type RecordHandler } from "./ingest-pass.ts";
import { pendingPath, type QueueLayout, queueLayout } from "./layout.ts";
import type { MarkMemory } from "./mark-memory.ts";
import { sortNames } from "./pending-list.ts";
import { captureFailed, type EncodedEnvelope, publish } from "./publish.ts";

export interface CaptureQueueOptions {
  /** Created with its parents when first used; a relative path is fixed when it is given. */
  readonly queueDir: string;
  /** Largest text of a record in UTF-8 bytes, at most RECORD_TEXT_BYTES_MAX. */
  readonly textBytesMax?: number;
  /** Tries at a record that is at fault itself before it is quarantined. */
  readonly attemptsMax?: number;
  readonly events?: Events;
  readonly clock?: Clock;
  readonly fs?: DurableFs;
  readonly fsSync?: DurableFsSync;
  /** A seam: one of its own makes this object stand for another process. */
  readonly markMemory?: MarkMemory;
}

/** Proof that a record is on disk. */
export interface CaptureReceipt {
  readonly ulid: string;
  /** SHA-256 of the text, hexadecimal. */
  readonly sha256: string;
  readonly state: "pending";
  /** ISO 8601. */
  readonly appended_at: string;
}

export interface PendingRecord {
  readonly ulid: string;
  /** ISO 8601, of the id. */
  readonly appendedAt: string;
  /** Absolute path of the envelope. */
  readonly path: string;
}

export const ATTEMPTS_MAX_DEFAULT = 3;
/** Pending records that a queue is meant to hold at most. Nothing enforces it yet. */
export const DEFAULT_MAX_SIZE = 10_000;

/** Failures of the moment, and not of the place; the next append may succeed. */
const PASSING = ["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EIO", "ENOMEM"];

export class CaptureQueue {
  readonly layout: QueueLayout;
  readonly #fs: DurableFs;
  readonly #fsSync: DurableFsSync;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #textBytesMax: number;
  readonly #ids: RecordIds;
  readonly #directory: SharedDirectorySync;
  readonly #pass: IngestPass;
  #prepared: Promise<void> | undefined;
  #appending = 0;
  #closed = false;

  /** @throws TypeError for an option that no queue can have */
  constructor(options: CaptureQueueOptions) {
    refuseOutside("textBytesMax", options.textBytesMax, RECORD_TEXT_BYTES_MAX);
    refuseOutside("attemptsMax", options.attemptsMax, Number.MAX_SAFE_INTEGER);
    this.layout = queueLayout(options.queueDir);
    this.#fs = options.fs ?? nodeDurableFs;
    this.#fsSync = options.fsSync ?? nodeDurableFsSync;
    this.#clock = options.clock ?? systemClock;
    this.#events = options.events ?? silentEvents;
    this.#textBytesMax = options.textBytesMax ?? RECORD_TEXT_BYTES_MAX;
    this.#ids = new RecordIds(this.#clock);
    this.#directory = new SharedDirectorySync(this.#fs, this.layout.dir, (errno) =>
      this.#events.emit("directory_fsync_missing", { errno }),
    );
    this.#pass = new IngestPass({
      fs: this.#fsSync,
      layout: this.layout,
      clock: this.#clock,
      events: this.#events,
      attemptsMax: options.attemptsMax ?? ATTEMPTS_MAX_DEFAULT,
      markMemory: options.markMemory,
    });
  }

  /**
   * Stores one record durably.
   *
   * @param record see record/memory-record; kept verbatim
   * @param options.retryUlid the id of an earlier attempt whose outcome was unknown; `retry_ulid`,
   *   as the tools and the errors call it, is the same
   * @throws MemspoolError RECORD_INVALID, RECORD_TOO_LARGE, INVALID_ARGUMENT, CAPTURE_FAILED,
   *   ULID_CONFLICT, UNSAFE_PATH, DATA_DIR_UNUSABLE, SHUTTING_DOWN
   */
  async append(
    record: MemoryRecord,
    options: {
      readonly retryUlid?: string | undefined;
      readonly retry_ulid?: string | undefined;
    } = {},
  ): Promise<CaptureReceipt> {
    if (this.#closed) throw shuttingDown();
    const startedMs = this.#clock.monotonicMs();
    // Everything of the caller's object is read before the first await.
    const parsed = parseRecord(record, this.#textBytesMax);
    const recordJson = JSON.stringify(parsed);
    const sha256 = textSha256(parsed.surface);
    const retryUlid = checkedUlid(options.retryUlid ?? options.retry_ulid);
    this.#appending++;
    try {
      await this.#prepare();
      const ulid = retryUlid ?? this.#ids.next();
      const appendedAt = new Date(this.#clock.nowMs()).toISOString();
      const bytes = encodeEnvelope(ulid, appendedAt, recordJson, sha256);
      const publishedAt = await this.#publish({ ulid, bytes, sha256, appendedAt });
      const ms = this.#clock.monotonicMs() - startedMs;
      this.#events.emit("capture_appended", { ulid, bytes: bytes.length, ms });
      return { ulid, sha256, state: "pending", appended_at: publishedAt };
    } catch (error) {
      this.#reportFailure(error);
      throw error;
    } finally {
      this.#appending--;
      if (this.#closed && this.#appending === 0) await this.#directory.close();
    }
  }

  /** Pending records, oldest first. Empty if there is no queue yet. */
  async listPending(): Promise<PendingRecord[]> {
    return (await this.#pendingUlids()).map((ulid) => ({
      ulid,
      appendedAt: new Date(ulidTimeMs(ulid)).toISOString(),
      path: pendingPath(this.layout, ulid),
    }));
  }

  async pendingCount(): Promise<number> {
    return (await this.#pendingUlids()).length;
  }

  /**
   * Hands every pending record that nobody else holds to the handler, oldest first, and removes
   * each whose handler returned. Goes on after a failure; afterwards one failure is thrown as
   * itself, several as an AggregateError, both with `ingestedCount`.
   *
   * A handler that throws keeps its record pending. An error with `retryable: false` says that the
   * record itself is at fault: it spends one of the attempts and is quarantined after the last.
   *
   * @returns records that were ingested
   */
  ingestPending(handler: RecordHandler): Promise<number> {
    return this.#pass.run(handler);
  }

  /** Waits for nobody: appends under way end as they would. Later ones are refused. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#appending === 0) await this.#directory.close();
  }

  async #pendingUlids(): Promise<readonly string[]> {
    try {
      return sortNames(await this.#fs.names(this.layout.dir)).ulids;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
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
    this.#ensureDirectories();
    let ids: readonly string[];
    try {
      ids = await newestIds(this.#fs, this.layout, this.#clock.nowMs());
    } catch (error) {
      throw captureFailed("listing of the queue directory", error, "no");
    }
    for (const ulid of ids) {
      const { ignoredAheadMs } = this.#ids.startAfter(ulid);
      if (ignoredAheadMs > 0) {
        this.#events.emit("id_ahead_ignored", { ulid, ahead_ms: Math.round(ignoredAheadMs) });
      }
    }
  }

  /** Whatever fails here, nothing of the record is on disk yet. */
  #ensureDirectories(): void {
    try {
      ensureQueueDirectories(this.#fsSync, this.layout);
    } catch (error) {
      if (!(error instanceof MemspoolError)) throw error;
      const { code, message, details, cause } = error;
      if (PASSING.includes(String(details.errno))) {
        throw captureFailed("opening of the queue directory", cause, "no");
      }
      throw new MemspoolError(code, message, { details: { ...details, stored: "no" }, cause });
    }
  }

  /** @returns `appended_at` of the envelope on disk */
  async #publish(envelope: EncodedEnvelope): Promise<string> {
    const parts = { fs: this.#fs, layout: this.layout, directory: this.#directory };
    try {
      return await publish(parts, envelope);
    } catch (error) {
      const { errno, stored } = error instanceof MemspoolError ? error.details : {};
      if (errno !== "ENOENT" || stored !== "no") throw error;
      // Somebody removed the directory, before the temp file or under it: make it again, once.
      this.#ensureDirectories();
      return publish(parts, envelope);
    }
  }

  #reportFailure(error: unknown): void {
    if (!(error instanceof MemspoolError)) return;
    this.#events.emit("capture_failed", {
      code: error.code,
      stored: error.details.stored === "unknown" ? "unknown" : "no",
      errno: String(error.details.errno ?? ""),
    });
  }
}

function checkedUlid(ulid: string | undefined): string | undefined {
  if (ulid === undefined || ulidSchema.safeParse(ulid).success) return ulid;
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    "retry_ulid is not a ULID. Give the ulid of the failed attempt, or leave it out.",
  );
}

/** A larger text would be acknowledged and then be refused by whoever reads it. */
function refuseOutside(name: string, value: number | undefined, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= max)) return;
  throw new TypeError(`${name} must be a whole number from 1 to ${max}`);
}

function shuttingDown(): MemspoolError {
  return new MemspoolError(
    "SHUTTING_DOWN",
    "memspool is stopping and takes no more captures. Nothing was stored; capture again later.",
    { details: { stored: "no" } },
  );
}
