/**
 * A record's fields as a model sees them: the record's own schema with a word on each field.
 *
 * `default` is only advertised. What a caller leaves out stays absent in the record, see
 * record/memory-record.
 */
import { z } from "zod";
import { type MemoryRecord, memoryRecordSchema, ulidSchema } from "../record/memory-record.ts";
import { advertiseInput, type JsonObjectSchema } from "./advertise.ts";

const fields = memoryRecordSchema.shape;

/**
 * Handed on as it came: the record's own check judges its inside, with a bound on its depth, and a
 * schema's copy would lose a key "__proto__".
 */
const anyObject = z.custom<NonNullable<MemoryRecord["metadata"]>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  { error: "must be a JSON object" },
);

export const captureArguments = z.strictObject({
  surface: fields.surface.describe("The text, word for word: never summarised. Up to 1 MiB."),
  cue: fields.cue.describe("What would remind one of it: a question, a few key words"),
  tier: fields.tier
    .meta({ default: "episodic" })
    .describe(
      "working: of the moment; episodic: what happened; semantic: facts; procedural: how-to",
    ),
  session_id: fields.session_id.describe("Conversation it belongs to"),
  role: fields.role.describe("Who said it"),
  project: fields.project.describe("Default: the server's current project"),
  source: fields.source.describe("Where it comes from: a file, a URL, a program"),
  occurred_at: fields.occurred_at.describe("ISO 8601, if not now"),
  tags: fields.tags,
  metadata: anyObject.optional().meta({ type: "object" }).describe("Any JSON object"),
  priority: fields.priority.meta({ default: "normal" }),
  idempotency_key: fields.idempotency_key.describe(
    "The same key and text in a project is kept once",
  ),
  supersedes: fields.supersedes.describe("ULIDs of records that this one corrects"),
  retry_ulid: ulidSchema
    .optional()
    .describe("The ulid of an error with stored: unknown, to try that capture again"),
});

/** One record of a batch, for the advertised schema alone: fields without their descriptions. */
export function batchItemSchema(): JsonObjectSchema {
  return advertiseInput(z.strictObject({ ...fields, retry_ulid: ulidSchema.optional() }));
}
