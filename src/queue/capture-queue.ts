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
 * - No more than `maxSize` records are pending; room.ts says how exactly. What happens beyond is the
 *   overflow policy: the oldest are spilled (default), the append is refused, or the oldest are lost.
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
import { RECORD_TEXT_BYTES_MAX } from "../record/limits.ts";
import { type MemoryRecord, parseRecord, ulidSchema } from "../record/memory-record.ts";
import { ulidTimeMs } from "../record/record-id.ts";
import { Appender, type CaptureReceipt } from "./appender.ts";
import { IngestPass, type RecordHandler } from "./ingest-pass.ts";
import { pendingPath, type QueueLayout, queueLayout } from "./layout.ts";
import type { MarkMemory } from "./mark-memory.ts";
import { sortNames } from "./pending-list.ts";
import type { OverflowPolicy } from "./room.ts";

export interface CaptureQueueOptions {
  /** Created with its parents when first used; a relative path is fixed when it is given. */
  readonly queueDir: string;
  /** Largest text of a record in UTF-8 bytes, at most RECORD_TEXT_BYTES_MAX. */
  readonly textBytesMax?: number;
  /** Tries at a record that is at fault itself before it is quarantined. */
  readonly attemptsMax?: number;
  /** Records that may be pending; DEFAULT_MAX_SIZE unless given. */
  readonly maxSize?: number;
  /** What a full queue does: move its oldest to `overflow/` (default), refuse, or lose its oldest. */
  readonly overflow?: OverflowPolicy;
  /** Where a failing rotation of the audit log leaves its alert; `alerts` beside the queue. */
  readonly alertsDir?: string;
  readonly events?: Events;
  readonly clock?: Clock;
  readonly fs?: DurableFs;
  readonly fsSync?: DurableFsSync;
  /** Checks a record in place of {@link parseRecord}, for who makes all its records itself. */
  readonly parse?: (record: MemoryRecord, textBytesMax: number) => MemoryRecord;
  /** A seam: one of its own makes this object stand for another process. */
  readonly markMemory?: MarkMemory;
}

export interface PendingRecord {
  readonly ulid: string;
  /** ISO 8601, of the id. */
  readonly appendedAt: string;
  /** Absolute path of the envelope. */
  readonly path: string;
}

export const ATTEMPTS_MAX_DEFAULT = 3;
/** Records that may be pending, unless told otherwise. */
export const DEFAULT_MAX_SIZE = 10_000;
const POLICIES: readonly OverflowPolicy[] = ["spill", "reject", "drop-oldest"];

export class CaptureQueue {
  readonly layout: QueueLayout;
  readonly #fs: DurableFs;
  readonly #appender: Appender;
  readonly #pass: IngestPass;

  /** @throws TypeError for an option that no queue can have */
  constructor(options: CaptureQueueOptions) {
    const textBytesMax = options.textBytesMax ?? RECORD_TEXT_BYTES_MAX;
    const attemptsMax = options.attemptsMax ?? ATTEMPTS_MAX_DEFAULT;
    const maxRecords = options.maxSize ?? DEFAULT_MAX_SIZE;
    refuseOutside("textBytesMax", textBytesMax, RECORD_TEXT_BYTES_MAX);
    refuseOutside("attemptsMax", attemptsMax, Number.MAX_SAFE_INTEGER);
    refuseOutside("maxSize", maxRecords, Number.MAX_SAFE_INTEGER);
    const policy = options.overflow ?? "spill";
    if (!POLICIES.includes(policy)) {
      throw new TypeError(`overflow must be one of ${POLICIES.join(", ")}`);
    }
    this.layout = queueLayout(options.queueDir);
    this.#fs = options.fs ?? nodeDurableFs;
    const fsSync = options.fsSync ?? nodeDurableFsSync;
    const shared = {
      layout: this.layout,
      clock: options.clock ?? systemClock,
      events: options.events ?? silentEvents,
      markMemory: options.markMemory,
    };
    this.#pass = new IngestPass({ ...shared, fs: fsSync, attemptsMax });
    this.#appender = new Appender({
      ...shared,
      fs: this.#fs,
      fsSync,
      textBytesMax,
      parse: options.parse ?? parseRecord,
      maxRecords,
      policy,
      alertsDir: options.alertsDir,
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
    return this.#appender.append(record, {
      ulid: checkedUlid(options.retryUlid ?? options.retry_ulid),
    });
  }

  /**
   * Takes in a record that has its id and its time already, such as one from an export. Repeating it
   * can not store it twice.
   * @param known.appendedAt ISO 8601
   * @throws as {@link CaptureQueue.append}
   */
  async adopt(
    record: MemoryRecord,
    known: { readonly ulid: string; readonly appendedAt: string },
  ): Promise<CaptureReceipt> {
    const ulid = checkedUlid(known.ulid);
    const atMs = Date.parse(known.appendedAt);
    if (Number.isNaN(atMs)) {
      throw new MemspoolError("INVALID_ARGUMENT", "appended_at is no time in ISO 8601.");
    }
    return this.#appender.append(record, { ulid, appendedAt: new Date(atMs).toISOString() });
  }

  /**
   * Whether a record could be stored at all; appending checks it in any case.
   * @throws MemspoolError RECORD_INVALID, RECORD_TOO_LARGE
   */
  check(record: MemoryRecord): void {
    this.#appender.check(record);
  }

  /**
   * Tells that a record was sent back from quarantine to pending, where it takes a place: without
   * it this object would count one too few until it lists the directory again.
   */
  noteReturned(): void {
    this.#appender.noteReturned();
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
    await this.#appender.close();
  }

  async #pendingUlids(): Promise<readonly string[]> {
    try {
      return sortNames(await this.#fs.names(this.layout.dir)).ulids;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
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
