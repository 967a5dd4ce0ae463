/**
 * One call of a tool, from its name and raw arguments to a bounded answer.
 *
 * Guarantees: arguments are checked before anything runs; the answer, good or bad, is at most
 * ANSWER_CHARS_MAX characters of JSON; whatever a tool throws becomes an answer with a stable code
 * that says whether trying again can help. A text that is not ours is never shown.
 */
import { type ErrorDetails, MemspoolError, reportError } from "../errors.ts";
import { ANSWER_CHARS_MAX } from "../record/limits.ts";
import { describeIssues } from "../record/memory-record.ts";
import type { ToolContext, ToolDefinition } from "./define-tool.ts";
import { clip } from "./fit-answer.ts";

export interface ToolAnswer {
  readonly structured: Record<string, unknown>;
  /** The same as JSON, for clients that read text alone. */
  readonly text: string;
  readonly isError: boolean;
}

const ERROR_MESSAGE_CHARS_MAX = 2_000;
const DETAIL_CHARS_MAX = 500;
const DETAIL_COUNT_MAX = 20;

/** @throws MemspoolError INVALID_ARGUMENT naming the tool that is not there. */
export function findTool(tools: readonly ToolDefinition[], name: unknown): ToolDefinition {
  const found = tools.find((tool) => tool.name === name);
  if (found !== undefined) return found;
  const asked = typeof name === "string" ? JSON.stringify(clip(name, 64)) : "without a name";
  const known = tools.map((tool) => tool.name);
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    `Unknown tool ${asked}. This server has: ${known.join(", ")}.`,
    { details: { tools: known } },
  );
}

/** Runs the tool; never rejects. */
export async function runTool(
  tool: ToolDefinition,
  args: unknown,
  context: ToolContext,
): Promise<ToolAnswer> {
  try {
    const input = parseArguments(tool, args);
    return answer({ ...(await tool.run(input, context)) }, false);
  } catch (error) {
    return answer(errorAnswer(error), true);
  }
}

/** `{error: {code, message, retryable, …details}}`, each part bounded. */
export function errorAnswer(error: unknown): { error: Record<string, unknown> } {
  const { code, message, retryable, details } = reportError(error);
  return {
    error: {
      ...boundDetails(details),
      code,
      message: clip(message, ERROR_MESSAGE_CHARS_MAX),
      retryable,
    },
  };
}

function parseArguments(tool: ToolDefinition, args: unknown): Record<string, unknown> {
  const parsed = tool.inputSchema.safeParse(args ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  const problems = describeIssues(parsed.error);
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    `${tool.name} refused its arguments: ${problems.slice(0, DETAIL_COUNT_MAX).join("; ")}. ` +
      `It takes: ${Object.keys(tool.inputSchema.shape).join(", ") || "no arguments"}.`,
    { details: { problems } },
  );
}

function answer(structured: Record<string, unknown>, isError: boolean): ToolAnswer {
  const text = JSON.stringify(structured);
  if (text.length <= ANSWER_CHARS_MAX) return { structured, text, isError };
  // Each tool fits its own answer; this is the bound that holds if one of them is wrong.
  const error = new MemspoolError(
    "INTERNAL",
    `The answer is ${text.length} characters long, the limit is ${ANSWER_CHARS_MAX}. ` +
      "Ask for less at a time, and please report this.",
  );
  const replaced = errorAnswer(error);
  return { structured: replaced, text: JSON.stringify(replaced), isError: true };
}

function boundDetails(details: ErrorDetails): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details)
      .slice(0, DETAIL_COUNT_MAX)
      .map(([key, value]) => [clip(key, 64), boundDetail(value)]),
  );
}

function boundDetail(value: ErrorDetails[string]): unknown {
  if (typeof value === "string") return clip(value, DETAIL_CHARS_MAX);
  if (!Array.isArray(value)) return value;
  return value.slice(0, DETAIL_COUNT_MAX).map((entry: string) => clip(entry, DETAIL_CHARS_MAX));
}
