/**
 * The one way in, for tools, command line and hooks.
 *
 * Guarantees: resolves only when the record is durable (queue/capture-queue). Fills in the current
 * project where the caller names none, and takes out what privacy asks for, before anything touches
 * the disk; changes nothing else. Under pressure it is slowed, waits or is refused by the gate before
 * that, and nothing is acknowledged meanwhile.
 */
import { type ErrorReport, MemspoolError, reportError, type StoredState } from "../errors.ts";
import { BATCH_BYTES_MAX, BATCH_COUNT_MAX, RECORD_TEXT_BYTES_MAX } from "../record/limits.ts";
import type { MemoryRecord } from "../record/memory-record.ts";
import { utf8Bytes } from "../record/utf8-bytes.ts";
import { type AppendingQueue, gatedQueue } from "./gated-queue.ts";
import type { CaptureFailure, CaptureInput, Receipt } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";

export interface CaptureParts
  extends Pick<MemoryParts, "project" | "onCaptured" | "privacy" | "gate"> {
  readonly queue: AppendingQueue;
}

export interface CaptureCounts {
  readonly captured: number;
  readonly failed: number;
  /** Code of the last capture's failure, while nothing was captured since. */
  readonly failing: string | undefined;
}

/** BACKPRESSURE is none: refused by policy; it counts for want of room alone, and while it lasts. */
const DISK_CODES: ReadonlySet<string> = new Set<ErrorReport["code"]>([
  "CAPTURE_FAILED",
  "QUEUE_FULL",
  "DATA_DIR_UNUSABLE",
  "UNSAFE_PATH",
  "INTERNAL",
]);

/** A full disk, as the quota sees it, refuses the next one as well; low priority is refused early. */
const QUOTA_REASONS: ReadonlySet<string> = new Set(["quota", "line"]);

export class Captures {
  readonly #parts: CaptureParts;
  readonly #queue: AppendingQueue;
  #captured = 0;
  #failed = 0;
  #failing: string | undefined;

  constructor(parts: CaptureParts) {
    this.#parts = parts;
    this.#queue = gatedQueue(parts.queue, parts.gate);
  }

  /** Since this process started. */
  get counts(): CaptureCounts {
    return { captured: this.#captured, failed: this.#failed, failing: this.#failing };
  }

  /** @throws as {@link import("../queue/capture-queue.ts").CaptureQueue.append}; BACKPRESSURE */
  async capture(input: CaptureInput): Promise<Receipt> {
    const receipt = await this.#append(input);
    this.#captured++;
    this.#failing = undefined;
    try {
      this.#parts.onCaptured();
    } catch {
      // A hint to others. The record is on disk: whatever fails here, the capture has not.
    }
    return receipt;
  }

  /**
   * Captures all, side by side, so that they share directory fsyncs.
   * @returns one outcome a record, in order
   * @throws MemspoolError BATCH_TOO_LARGE: then nothing was captured
   */
  async captureBatch(inputs: readonly unknown[]): Promise<(Receipt | CaptureFailure)[]> {
    refuseTooMuch(inputs);
    return Promise.all(
      inputs.map((input) => this.capture(input as CaptureInput).catch(captureFailure)),
    );
  }

  async #append(input: CaptureInput): Promise<Receipt> {
    try {
      const { record, retryUlid } = this.#split(input);
      return await this.#appendClean(record, retryUlid);
    } catch (error) {
      this.#failed++;
      // A refused record says nothing about the next one; a disk that fails does.
      const { code, details } = reportError(error);
      const isHeldUp = QUOTA_REASONS.has(String(details.reason)) && input?.priority !== "low";
      if (DISK_CODES.has(code) || (code === "BACKPRESSURE" && isHeldUp)) this.#failing = code;
      throw error;
    }
  }

  async #appendClean(record: MemoryRecord, retryUlid: string | undefined): Promise<Receipt> {
    const queue = this.#queue;
    const { privacy } = this.#parts;
    if (privacy?.on !== true || !isLookedAt(record)) return queue.append(record, { retryUlid });
    const { record: clean, redacted } = await privacy.apply(record);
    const receipt = await queue.append(clean, { retryUlid });
    return redacted === undefined ? receipt : { ...receipt, redacted };
  }

  #split(input: CaptureInput): { record: MemoryRecord; retryUlid: string | undefined } {
    // What is no object has no fields to split; the queue's schema refuses it by name.
    if (typeof input !== "object" || input === null) return { record: input, retryUlid: undefined };
    const { retry_ulid: retryUlid, ...record } = input;
    if (record.project === undefined && this.#parts.project !== "") {
      record.project = this.#parts.project;
    }
    return { record, retryUlid };
  }
}

/** What no record can be is not looked through: the queue refuses it by name or size. */
function isLookedAt(record: unknown): boolean {
  const surface = (record as { surface?: unknown } | null | undefined)?.surface;
  return typeof surface === "string" && utf8Bytes(surface) <= RECORD_TEXT_BYTES_MAX;
}

/** A failed capture as an entry of a batch's answer. */
export function captureFailure(error: unknown): CaptureFailure {
  const { code, message, retryable, details }: ErrorReport = reportError(error);
  // A fault that is not ours may have struck anywhere: only a MemspoolError knows that it is "no".
  const known = error instanceof MemspoolError;
  const stored: StoredState = known && details.stored !== "unknown" ? "no" : "unknown";
  return {
    error: {
      code,
      message,
      retryable,
      stored,
      ...(typeof details.ulid === "string" ? { ulid: details.ulid } : {}),
      ...(typeof details.retry_after_ms === "number"
        ? { retry_after_ms: details.retry_after_ms }
        : {}),
    },
  };
}

/** @throws MemspoolError BATCH_TOO_LARGE for more records or bytes than one call may hold */
export function refuseTooMuch(inputs: readonly unknown[]): void {
  if (inputs.length > BATCH_COUNT_MAX) {
    throw new MemspoolError(
      "BATCH_TOO_LARGE",
      `The batch has ${inputs.length} records, the limit is ${BATCH_COUNT_MAX}. Nothing was ` +
        "captured; send it in several batches.",
      { details: { limit_records: BATCH_COUNT_MAX, size_records: inputs.length, stored: "no" } },
    );
  }
  let bytes = 0;
  for (const input of inputs) {
    const surface = (input as { surface?: unknown } | null | undefined)?.surface;
    if (typeof surface === "string") bytes += utf8Bytes(surface);
  }
  if (bytes <= BATCH_BYTES_MAX) return;
  throw new MemspoolError(
    "BATCH_TOO_LARGE",
    `The batch's texts are ${bytes} bytes, the limit is ${BATCH_BYTES_MAX}. Nothing was captured; ` +
      "send it in several batches.",
    { details: { limit_bytes: BATCH_BYTES_MAX, size_bytes: bytes, stored: "no" } },
  );
}
