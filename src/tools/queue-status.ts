/** `queue_status`: the object of `memspool://status`, for clients that read no resources. */
import { z } from "zod";
import { defineTool } from "./define-tool.ts";

export const queueStatus = defineTool({
  name: "queue_status",
  description:
    "See whether memory works: {state: ok | degraded | failing, reasons, queue: {depth, …}, " +
    "counters, ingester, store, …}. Use it when a capture or search failed or the user asks. " +
    "Takes no arguments: {}",
  inputSchema: z.strictObject({}),
  outputSchema: z.object({
    state: z.string(),
    reasons: z.array(z.string()),
    spool: z.unknown(),
    spool_bytes: z.unknown(),
    pressure: z.unknown(),
    queue: z.looseObject({ depth: z.number() }),
    counters: z.looseObject({}),
    ingester: z.looseObject({}),
    ingest_rate: z.number(),
    store: z.looseObject({}),
    events: z.unknown(),
    hooks: z.unknown(),
    privacy: z.unknown(),
    retention: z.unknown(),
  }),
  annotations: {
    title: "Status of memory",
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  run: (_input, { memory }) => memory.status(),
});
