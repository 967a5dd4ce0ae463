/** `memory_search`: which records hold these words, best first. */
import { z } from "zod";
import { CONTEXT_TURNS_MAX, QUERY_CHARS_MAX, SEARCH_LIMIT_DEFAULT } from "../record/limits.ts";
import { defineTool } from "./define-tool.ts";
import { filterArguments, pageArguments } from "./filter-arguments.ts";
import { fitPage } from "./fit-answer.ts";

export const memorySearch = defineTool({
  name: "memory_search",
  description:
    "Find what was remembered. Use it before answering whatever may depend on an earlier " +
    "conversation, a preference or a decision, and before asking the user again. Ask in plain " +
    "words, with the names and dates that you know (“What did Mara say about the dentist in " +
    "May?”). It matches words in any form, not meaning: try other words if nothing fits. context " +
    "shows the turns around each hit. Returns {results: [{ulid, score, snippet, at, …}], " +
    "next_cursor?}, best first, matches marked « »; superseded_by names a later correction; " +
    "store_error or unsearched say that something could not be looked at. Read a whole text with " +
    "memory_get.\n" +
    'Example: {"query": "Which day do we deploy?", "limit": 5, "context": 1}',
  inputSchema: z.strictObject({
    query: z.string().max(QUERY_CHARS_MAX).describe("A question or words; no operators"),
    context: z
      .int()
      .min(0)
      .max(CONTEXT_TURNS_MAX)
      .optional()
      .meta({ default: 0 })
      .describe("Turns of the session to show before and after each hit"),
    explain: z.boolean().optional().describe("Say why each hit ranks where it does"),
    ...pageArguments(SEARCH_LIMIT_DEFAULT),
    ...filterArguments,
  }),
  outputSchema: z.object({
    results: z.array(z.looseObject({ ulid: z.string(), score: z.number(), snippet: z.string() })),
    next_cursor: z.string().optional(),
    unsearched: z.number().optional(),
    store_error: z.looseObject({}).optional(),
  }),
  annotations: {
    title: "Search memory",
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  run: (input, { memory }) =>
    fitPage(
      input.limit ?? SEARCH_LIMIT_DEFAULT,
      (limit) => memory.search({ ...input, limit }),
      (answer) => answer.results.length,
    ),
});
