/** Every tool, in the order in which a client lists them. */
import type { z } from "zod";
import type { ToolDefinition } from "./define-tool.ts";
import { memoryCapture } from "./memory-capture.ts";
import { memoryCaptureBatch } from "./memory-capture-batch.ts";
import { memoryForget } from "./memory-forget.ts";
import { memoryGet } from "./memory-get.ts";
import { memoryReceipt } from "./memory-receipt.ts";
import { memoryRecent } from "./memory-recent.ts";
import { memorySearch } from "./memory-search.ts";
import { queueFlush } from "./queue-flush.ts";
import { queueRetry } from "./queue-retry.ts";
import { queueStatus } from "./queue-status.ts";

export const TOOLS: readonly ToolDefinition[] = Object.freeze([
  erase(memoryCapture),
  erase(memoryCaptureBatch),
  erase(memorySearch),
  erase(memoryGet),
  erase(memoryRecent),
  erase(memoryReceipt),
  erase(memoryForget),
  erase(queueStatus),
  erase(queueFlush),
  erase(queueRetry),
]);

/**
 * Forgets a tool's own input type, so that tools fit into one list. Sound because run-tool hands a
 * tool only what that tool's own schema returned.
 */
function erase<Input extends z.ZodObject>(tool: ToolDefinition<Input>): ToolDefinition {
  return Object.freeze(tool) as unknown as ToolDefinition;
}
