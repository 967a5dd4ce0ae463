/** `memory_capture`: one record in, the proof that it is on disk out. */
import { z } from "zod";
import { defineTool } from "./define-tool.ts";
import { captureArguments } from "./record-arguments.ts";

export const memoryCapture = defineTool({
  name: "memory_capture",
  description:
    "Remember a text word for word, for good. Use it when the user says to remember something and " +
    "for what later conversations will need: decisions, preferences, facts, corrections, " +
    "instructions. Returns {ulid, sha256, state, appended_at} once the text is on disk and safe " +
    "from any crash; it can be searched at once. If it fails with stored: unknown, call again " +
    "with retry_ulid; with BACKPRESSURE, call again after retry_after_ms.\n" +
    'Example: {"surface": "We deploy on Tuesdays, never on Fridays.", "tags": ["deploy"]}',
  inputSchema: captureArguments,
  outputSchema: z.object({
    ulid: z.string(),
    sha256: z.string(),
    state: z.string().describe("pending: durable, on its way into the index"),
    appended_at: z.string(),
    redacted: z
      .object({ private: z.number(), secrets: z.number() })
      .optional()
      .describe("Places that privacy took out before the text was stored"),
  }),
  annotations: {
    title: "Remember",
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: false,
    openWorldHint: false,
  },
  run: (input, { memory }) => memory.capture(input),
});
