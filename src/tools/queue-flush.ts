/** `queue_flush`: waits until what is pending now is in the store. */
import { z } from "zod";
import { defineTool } from "./define-tool.ts";

const TIMEOUT_MS_DEFAULT = 30_000;
const TIMEOUT_MS_MIN = 100;
const TIMEOUT_MS_MAX = 300_000;

export const queueFlush = defineTool({
  name: "queue_flush",
  description:
    "Have everything pending moved into the store now, and wait for it. Seldom needed: captured " +
    "texts are safe and searchable without it. Reports progress and can be cancelled. Returns " +
    '{drained, remaining, ms}.\nExample: {"timeout_ms": 10000}',
  inputSchema: z.strictObject({
    timeout_ms: z
      .int()
      .min(TIMEOUT_MS_MIN)
      .max(TIMEOUT_MS_MAX)
      .optional()
      .meta({ default: TIMEOUT_MS_DEFAULT }),
  }),
  outputSchema: z.object({ drained: z.number(), remaining: z.number(), ms: z.number() }),
  annotations: {
    title: "Drain the queue",
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  run: ({ timeout_ms }, { memory, signal, progress }) =>
    memory.flush({
      timeout_ms: timeout_ms ?? TIMEOUT_MS_DEFAULT,
      signal,
      onProgress: ({ drained, total }) => progress(drained, total, `${drained} of ${total} stored`),
    }),
});
