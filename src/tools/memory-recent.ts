/** `memory_recent`: what happened lately, and which projects, sessions and tags there are. */
import { z } from "zod";
import { PAGE_LIMIT_DEFAULT } from "../record/limits.ts";
import { defineTool } from "./define-tool.ts";
import { filterArguments, pageArguments } from "./filter-arguments.ts";
import { fitPage } from "./fit-answer.ts";

export const memoryRecent = defineTool({
  name: "memory_recent",
  description:
    "Look at memory in order of time: use it at the start of a conversation to see where things " +
    "stand, or to read a session again from its beginning. Returns {records: [{ulid, at, snippet, " +
    "…}], next_cursor?}. With list: projects, sessions or tags it returns {names: [{name, count, " +
    "last_at}]} instead: what there is to ask about.\n" +
    'Example: {"session_id": "s1", "order": "oldest"} or {"list": "projects", "project": "*"}',
  inputSchema: z.strictObject({
    list: z
      .enum(["records", "projects", "sessions", "tags"])
      .optional()
      .meta({ default: "records" }),
    order: z.enum(["newest", "oldest"]).optional().meta({ default: "newest" }),
    ...pageArguments(PAGE_LIMIT_DEFAULT),
    ...filterArguments,
  }),
  outputSchema: z.object({
    records: z.array(z.looseObject({ ulid: z.string(), snippet: z.string() })).optional(),
    names: z.array(z.looseObject({ name: z.string(), count: z.number() })).optional(),
    next_cursor: z.string().optional(),
    unsearched: z.number().optional(),
    store_error: z.looseObject({}).optional(),
  }),
  annotations: {
    title: "Recent memories",
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  run: (input, { memory }) =>
    fitPage(
      input.limit ?? PAGE_LIMIT_DEFAULT,
      (limit) => memory.recent({ ...input, limit }),
      (answer) => (answer.records ?? answer.names ?? []).length,
    ),
});
