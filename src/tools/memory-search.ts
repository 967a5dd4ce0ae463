/** `memory_search`: which records hold these words, best first. */
import { z } from "zod";
import { QUERY_CHARS_MAX, SEARCH_LIMIT_DEFAULT } from "../record/limits.ts";
import { defineTool } from "./define-tool.ts";
import { filterArguments, pageArguments } from "./filter-arguments.ts";
import { fitPage } from "./fit-answer.ts";

export const memorySearch = defineTool({
  name: "memory_search",
  description:
    "Find what was remembered. Use it before answering whatever may depend on an earlier " +
    "conversation, a preference or a decision, and before asking the user again. It matches words " +
    "(any of them, in any language), not meaning: give the words that the text itself would use, " +
    "and try others if nothing fits. Returns {results: [{ulid, score, snippet, at, …}], " +
    "next_cursor?}, best first; superseded_by names a later correction; store_error or unsearched " +
    "say that something could not be looked at. Read a whole text with memory_get.\n" +
    'Example: {"query": "deploy day friday", "limit": 5}',
  inputSchema: z.strictObject({
    query: z.string().max(QUERY_CHARS_MAX).describe("Words; no operators"),
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
