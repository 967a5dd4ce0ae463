/** `memory_forget`: purges records for good, in two calls. */
import { z } from "zod";
import { FORGET_REASON_BYTES_MAX } from "../record/limits.ts";
import { ulidSchema } from "../record/memory-record.ts";
import { defineTool } from "./define-tool.ts";
import { filterArguments } from "./filter-arguments.ts";

const TOKEN_CHARS_MAX = 64;

export const memoryForget = defineTool({
  name: "memory_forget",
  description:
    "Forget records for good, only when the user asks for it; nothing brings them back. Two calls. " +
    "First with ulid, or with filter (as in memory_search): {state: dry_run, count, ulids, confirm, " +
    "remains} says what would go; tell the user the count. Then the same with confirm: {state: " +
    "forgotten}, or purging (hidden at once, content still being removed). CONFIRM_INVALID: what is " +
    "found has changed, begin again. remains: backups that keep it. To correct a record, capture a " +
    "new one with supersedes instead.\n" +
    'Example: {"ulid": "01JZX0W7Q2M3N4P5R6S7T8V9WA"} or {"filter": {"session_id": "s1"}, "confirm": "12-5e8a0c"}',
  inputSchema: z.strictObject({
    ulid: ulidSchema.optional(),
    filter: z.strictObject(filterArguments).optional().describe("Instead of ulid"),
    dry_run: z.boolean().optional().describe("Default: true without confirm"),
    confirm: z.string().max(TOKEN_CHARS_MAX).optional().describe("From the dry run"),
    reason: z
      .string()
      .max(FORGET_REASON_BYTES_MAX)
      .optional()
      .describe("Kept for good; name nothing that is to be forgotten"),
  }),
  outputSchema: z.object({
    state: z.string(),
    count: z.number(),
    ulids: z.array(z.string()),
    confirm: z.string().optional(),
    request: z.string().optional(),
    unsearched: z.number().optional(),
    remains: z.looseObject({}),
    advice: z.string().optional(),
  }),
  annotations: {
    title: "Forget for good",
    readOnlyHint: false,
    destructiveHint: true,
    idempotentHint: true,
    openWorldHint: false,
  },
  run: (input, { memory, signal }) => memory.forget({ ...input, signal }),
});
