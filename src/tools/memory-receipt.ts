/** `memory_receipt`: where a captured record is now. */
import { z } from "zod";
import { ulidSchema } from "../record/memory-record.ts";
import { defineTool } from "./define-tool.ts";

export const memoryReceipt = defineTool({
  name: "memory_receipt",
  description:
    "Ask what became of a captured record. Returns {ulid, state, …}: pending or spilled (durable, " +
    "waits for the index), ingested (in the store), duplicate (the same as duplicate_of), " +
    "quarantined (kept, but set aside for the reason given), dropped (lost: the queue was full), " +
    "purging or forgotten (by memory_forget; purging while content is being removed) or unknown " +
    " (never captured here, unless store_error is there too).\n" +
    'Example: {"ulid": "01JZX0W7Q2M3N4P5R6S7T8V9WA"}',
  inputSchema: z.strictObject({ ulid: ulidSchema }),
  outputSchema: z.object({
    ulid: z.string(),
    state: z.string(),
    sha256: z.string().optional(),
    appended_at: z.string().optional(),
    duplicate_of: z.string().optional(),
    reason: z.looseObject({}).optional(),
    forgotten_at: z.string().optional(),
    forget_reason: z.string().optional(),
    store_error: z.looseObject({}).optional(),
  }),
  annotations: {
    title: "State of a memory",
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  run: ({ ulid }, { memory }) => memory.receipt(ulid),
});
