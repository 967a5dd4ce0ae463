/** The library: the capture queue on its own. docs/QUEUE_FORMAT.md describes what it does on disk. */
export { CaptureQueueSchemaError, type ErrorCode, MemspoolError } from "./errors.ts";
export {
  CaptureQueue,
  type CaptureQueueOptions,
  type CaptureReceipt,
  DEFAULT_MAX_SIZE,
  type PendingRecord,
} from "./queue/capture-queue.ts";
export type { HandlerContext, RecordHandler } from "./queue/ingest-pass.ts";
export { SCHEMA_VERSION } from "./record/envelope.ts";
export type { MemoryRecord } from "./record/memory-record.ts";
export { generateUlid } from "./record/record-id.ts";
