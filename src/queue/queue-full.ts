/**
 * What an append is told that gets no place in a full queue.
 *
 * Guarantees: says `stored: "no"`, because whoever waits for a place has written nothing, and when
 * to try again; names no record.
 */
import { MemspoolError } from "../errors.ts";
import { errnoOf } from "../platform/errno.ts";

export interface FullQueue {
  readonly maxRecords: number;
  /** Of room.ts, which imports this file. */
  readonly policy: string;
}

const RETRY_AFTER_MS = 1_000;

/** Whoever waits for a place has nothing on disk yet, and is told so whatever went wrong. */
export function notStored({ code, message, details, cause }: MemspoolError): MemspoolError {
  return new MemspoolError(code, message, { details: { ...details, stored: "no" }, cause });
}

export function queueFull({ maxRecords, policy }: FullQueue, cause?: unknown): MemspoolError {
  const errno = cause === undefined ? "" : (errnoOf(cause) ?? "unknown");
  const why =
    errno !== ""
      ? `the oldest could not be moved away (${errno})`
      : policy === "reject"
        ? "the policy is to refuse more"
        : "all of them are being worked on";
  return new MemspoolError(
    "QUEUE_FULL",
    `${maxRecords} records are pending, as many as the queue may hold, and ${why}. Nothing was ` +
      "stored; capture again in a moment. If it lasts, see `memspool status`.",
    {
      details: {
        stored: "no",
        limit_records: maxRecords,
        retry_after_ms: RETRY_AFTER_MS,
        ...(errno === "" ? {} : { errno }),
      },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
