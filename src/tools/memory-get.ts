/** `memory_get`: one record, its text in pages. */
import { z } from "zod";
import { GET_CHARS_DEFAULT, GET_CHARS_MAX, RECORD_TEXT_BYTES_MAX } from "../record/limits.ts";
import { ulidSchema } from "../record/memory-record.ts";
import { defineTool } from "./define-tool.ts";
import { fitText } from "./fit-answer.ts";

export const memoryGet = defineTool({
  name: "memory_get",
  description:
    "Read one record word for word, after memory_search or memory_recent gave its ulid. Returns " +
    "{record: {ulid, surface, …}, total_chars, next_offset?}; surface is a page of the text, and " +
    "when next_offset is there, call again with offset set to it.\n" +
    'Example: {"ulid": "01JZX0W7Q2M3N4P5R6S7T8V9WA"}',
  inputSchema: z.strictObject({
    ulid: ulidSchema,
    offset: z
      .int()
      .min(0)
      .max(RECORD_TEXT_BYTES_MAX)
      .optional()
      .meta({ default: 0 })
      .describe("In UTF-16 code units"),
    length: z.int().min(1).max(GET_CHARS_MAX).optional().meta({ default: GET_CHARS_DEFAULT }),
  }),
  outputSchema: z.object({
    record: z.looseObject({ ulid: z.string(), surface: z.string() }),
    total_chars: z.number(),
    next_offset: z.number().optional(),
  }),
  annotations: {
    title: "Read a memory",
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  run: async (input, { memory }) =>
    fitText(await memory.get({ ...input, length: input.length ?? GET_CHARS_DEFAULT })),
});
