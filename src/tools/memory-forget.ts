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
    "Forget records for good, and only when the user asks for it: they can not be brought back. Two " +
    "calls. First with ulid, or with a filter (fields as in memory_search): nothing is forgotten, " +
    "and {state: dry_run, count, ulids, confirm, remains} says what would be; show the user the " +
    "count. Then the same arguments with confirm: {state: forgotten}, or purging while content is " +
    "still being removed (hidden at once; see memory_receipt). CONFIRM_INVALID: what is found has " +
    "changed, begin again. remains names backups that forgetting does not reach. To correct a " +
    "record, capture a new one with supersedes instead.\n" +
    'Example: {"ulid": "01JZX0W7Q2M3N4P5R6S7T8V9WA"}, then {"ulid": "01JZX0W7Q2M3N4P5R6S7T8V9WA", ' +
    '"confirm": "1-5e8a…"}',
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
