/**
 * `memory_capture_batch`: many records in one call, each with its own outcome.
 *
 * The records' schema is advertised but not enforced here: one bad record must cost the others
 * nothing, so the memory judges each by itself.
 */
import { z } from "zod";
import { BATCH_COUNT_MAX } from "../record/limits.ts";
import { defineTool } from "./define-tool.ts";
import { fitOutcomes } from "./fit-answer.ts";
import { batchItemSchema } from "./record-arguments.ts";

export const memoryCaptureBatch = defineTool({
  name: "memory_capture_batch",
  description:
    "Remember up to 100 texts (8 MiB) in one call, such as the turns of a conversation; fields as " +
    "in memory_capture. Returns {receipts}: one entry a record, in order, either " +
    "{ulid, sha256, state, appended_at} or {error: {code, message, retryable, stored}}. A bad " +
    "record does not stop the others; check every entry, and send again those with BACKPRESSURE.\n" +
    'Example: {"records": [{"surface": "Hello", "role": "user", "session_id": "s1"}]}',
  inputSchema: z.strictObject({
    records: z.array(z.unknown().meta(batchItemSchema())).meta({ maxItems: BATCH_COUNT_MAX }),
  }),
  outputSchema: z.object({ receipts: z.array(z.looseObject({})) }),
  annotations: {
    title: "Remember many",
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: false,
    openWorldHint: false,
  },
  run: async ({ records }, { memory }) => ({
    receipts: fitOutcomes(await memory.captureBatch(records)),
  }),
});
