/** The library: the capture queue on its own. docs/QUEUE_FORMAT.md describes what it does on disk. */
export { CaptureQueueSchemaError, type ErrorCode, MemspoolError } from "./errors.ts";
export type { CaptureReceipt } from "./queue/appender.ts";
export {
  CaptureQueue,
  type CaptureQueueOptions,
  DEFAULT_MAX_SIZE,
  type PendingRecord,
} from "./queue/capture-queue.ts";
export type { HandlerContext, RecordHandler } from "./queue/ingest-pass.ts";
export type { OverflowPolicy } from "./queue/room.ts";
export { SCHEMA_VERSION } from "./record/envelope.ts";
export type { MemoryRecord } from "./record/memory-record.ts";
export { generateUlid } from "./record/record-id.ts";
