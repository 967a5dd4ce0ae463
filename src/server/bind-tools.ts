/**
 * The tools' side of the protocol: `tools/list` and `tools/call`.
 *
 * Listing touches no memory, so a client sees the tools before anything is opened. A tool that
 * fails answers with `isError`; only a tool that does not exist is a protocol error.
 */
import type { Memory } from "../memory/memory.ts";
import { advertiseInput, advertiseOutput } from "../tools/advertise.ts";
import type { ToolDefinition } from "../tools/define-tool.ts";
import { findTool, runTool } from "../tools/run-tool.ts";
import { INVALID_PARAMS, toProtocolError } from "./protocol-error.ts";
import type { Call, RequestHandlers } from "./request-handler.ts";

export function toolHandlers(tools: readonly ToolDefinition[], memory: Memory): RequestHandlers {
  let listed: Record<string, unknown>[] | undefined;
  return {
    "tools/list": async () => {
      listed ??= tools.map(listTool);
      return { tools: listed };
    },
    "tools/call": async (params, call) => {
      const tool = findOrRefuse(tools, params.name);
      const { structured, text, isError } = await runTool(tool, params.arguments, {
        memory,
        signal: call.signal,
        progress: progressReporter(call),
      });
      return {
        content: [{ type: "text", text }],
        structuredContent: structured,
        ...(isError && { isError }),
      };
    },
  };
}

function listTool(tool: ToolDefinition): Record<string, unknown> {
  return {
    name: tool.name,
    description: tool.description,
    inputSchema: advertiseInput(tool.inputSchema),
    outputSchema: advertiseOutput(tool.outputSchema),
    annotations: tool.annotations,
  };
}

function findOrRefuse(tools: readonly ToolDefinition[], name: unknown): ToolDefinition {
  try {
    return findTool(tools, name);
  } catch (error) {
    throw toProtocolError(error, INVALID_PARAMS);
  }
}

/** The protocol wants `progress` to grow with every notification, so what does not is left out. */
function progressReporter({ progressToken, notify }: Call) {
  let reported = -1;
  return (done: number, total: number, message?: string): void => {
    if (progressToken === undefined || done <= reported) return;
    reported = done;
    notify("notifications/progress", {
      progressToken,
      progress: done,
      total,
      ...(message !== undefined && { message }),
    });
  };
}
