/** `queue_retry`: sends what is in quarantine back to be tried again. */
import { z } from "zod";
import { PAGE_LIMIT_MAX } from "../record/limits.ts";
import { ulidSchema } from "../record/memory-record.ts";
import { defineTool } from "./define-tool.ts";
import { clip } from "./fit-answer.ts";

/** So that as many reasons as may be asked for fit into an answer. */
const MESSAGE_CHARS_MAX = 200;

export const queueRetry = defineTool({
  name: "queue_retry",
  description:
    "Try quarantined texts again, one or all, once the reason in memory_receipt is mended. What " +
    "fails again returns to quarantine. Returns {returned, outcomes: [{ulid, state, error?}], " +
    'remaining}.\nExample: {"ulid": "01JZX0W7Q2M3N4P5R6S7T8V9WA"}',
  inputSchema: z.strictObject({
    ulid: ulidSchema.optional(),
    limit: z.int().min(1).max(PAGE_LIMIT_MAX).optional().meta({ default: PAGE_LIMIT_MAX }),
  }),
  outputSchema: z.object({
    returned: z.number(),
    outcomes: z.array(z.looseObject({ ulid: z.string(), state: z.string() })),
    remaining: z.number(),
  }),
  annotations: {
    title: "Retry quarantined memories",
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  run: async ({ ulid, limit }, { memory, signal, progress }) => {
    const { returned, outcomes, remaining } = await memory.retry({
      ulid,
      limit: limit ?? PAGE_LIMIT_MAX,
      signal,
      onProgress: ({ done, total }) => progress(done, total),
    });
    return { returned, outcomes: outcomes.map(fit), remaining };
  },
});

function fit<Outcome extends { error?: { code: string; message: string } }>(
  outcome: Outcome,
): Outcome {
  if (outcome.error === undefined) return outcome;
  const { code, message } = outcome.error;
  return { ...outcome, error: { code, message: clip(message, MESSAGE_CHARS_MAX) } };
}
