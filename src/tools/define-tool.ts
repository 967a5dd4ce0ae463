/**
 * What a tool is: plain data and one function. Nothing here or in the tools knows the MCP SDK;
 * src/server/bind-tools.ts is the one place that does.
 */
import type { z } from "zod";
import type { Memory } from "../memory/memory.ts";

export interface ToolAnnotations {
  readonly title: string;
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** What a running call may use beside its input. */
export interface ToolContext {
  readonly memory: Memory;
  /** Aborted when the client cancels the request. */
  readonly signal: AbortSignal;
  /** Reports progress if the client asked for it. */
  readonly progress: (done: number, total: number, message?: string) => void;
}

export interface ToolDefinition<Input extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** For the model that reads it: when to use, what comes back, an example. */
  readonly description: string;
  /** A z.strictObject: unknown arguments are refused by name. */
  readonly inputSchema: Input;
  readonly outputSchema: z.ZodObject;
  readonly annotations: ToolAnnotations;
  readonly run: (input: z.infer<Input>, context: ToolContext) => Promise<object>;
}

/** Types a definition by its own schema; the tool comes back unchanged. */
export function defineTool<Input extends z.ZodObject>(
  tool: ToolDefinition<Input>,
): ToolDefinition<Input> {
  return tool;
}
