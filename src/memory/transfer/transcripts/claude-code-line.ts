/**
 * A line of Claude Code's transcript. docs/TRANSCRIPTS.md, "Claude Code". Pure.
 *
 * Guarantees: an assistant's turn has the text that the client hands to its Stop hook as
 * `last_assistant_message` (a line's text blocks, joined by line feeds, blank ends off), a user's the
 * text that was typed. What is neither a turn nor known bookkeeping is unknown, never dropped.
 */
import {
  type Fields,
  fieldsOf,
  type SkipRule,
  skip,
  type Turn,
  textOf,
  UNKNOWN,
  type Verdict,
} from "./line-verdict.ts";
import { typedText } from "./typed-text.ts";

export interface ClaudeCodeContext {
  /** For lines that do not name their session: the file's name. */
  readonly sessionId: string;
  readonly includeTools: boolean;
}

/** Lines about the session, not in it. */
const BOOKKEEPING: ReadonlySet<unknown> = new Set([
  "summary",
  "system",
  "file-history-snapshot",
  "file-history-delta",
  "queue-operation",
  "progress",
  "attachment",
  "custom-title",
  "ai-title",
  "agent-name",
  "agent-color",
  "agent-setting",
  "tag",
  "mode",
  "permission-mode",
  "last-prompt",
  "pr-link",
  "worktree-state",
  "content-replacement",
  "attribution-snapshot",
  "task-summary",
  "speculation-accept",
  "saved_hook_context",
  "bridge-session",
]);

const BLOCK_RULES: ReadonlyMap<unknown, SkipRule> = new Map<unknown, SkipRule>([
  ["thinking", "thinking"],
  ["redacted_thinking", "thinking"],
  ["tool_use", "tool"],
  ["tool_result", "tool"],
  ["tool_reference", "tool"],
  ["server_tool_use", "tool"],
  ["mcp_tool_use", "tool"],
  ["mcp_tool_result", "tool"],
  ["web_search_tool_result", "tool"],
  ["web_fetch_tool_result", "tool"],
  ["code_execution_tool_result", "tool"],
  ["image", "no-text"],
  ["document", "no-text"],
  ["container_upload", "no-text"],
]);

export function claudeCodeLine(json: unknown, context: ClaudeCodeContext): Verdict {
  const line = fieldsOf(json);
  if (line.type === "attachment") return queuedPrompt(line, context);
  if (BOOKKEEPING.has(line.type)) return skip("bookkeeping");
  if (line.type !== "user" && line.type !== "assistant") return UNKNOWN;
  const { content } = fieldsOf(line.message);
  if (typeof content !== "string" && !Array.isArray(content)) return UNKNOWN;
  const blocks: readonly Fields[] =
    typeof content === "string" ? [{ type: "text", text: content }] : content.map(fieldsOf);
  if (line.isSidechain === true) return skip("subagent");
  return line.type === "user"
    ? userLine(line, blocks, context)
    : assistantLine(line, blocks, context);
}

function userLine(line: Fields, blocks: readonly Fields[], context: ClaudeCodeContext): Verdict {
  if (line.isCompactSummary === true) return skip("compact-summary");
  if (line.isMeta === true || isNotHuman(line.origin)) return skip("injected");
  const typed: string[] = [];
  const turns: Turn[] = [];
  const rules: SkipRule[] = [];
  let isOdd = false;
  for (const block of blocks) {
    const text = textOf(block.text);
    if (block.type === "text" && text !== undefined) {
      const judged = typedText(text);
      if (judged.typed === undefined) rules.push(judged.rule);
      else typed.push(judged.typed);
    } else if (block.type === "tool_result" && context.includeTools) {
      const result = resultText(block.content);
      if (result.trim() === "") rules.push("no-text");
      else turns.push(turnOf(line, "tool", result, context));
    } else {
      const rule = BLOCK_RULES.get(block.type);
      if (rule === undefined) isOdd = true;
      else rules.push(rule);
    }
  }
  if (typed.length > 0) turns.unshift(turnOf(line, "user", typed.join("\n"), context));
  return verdictOf(turns, rules, isOdd);
}

function assistantLine(
  line: Fields,
  blocks: readonly Fields[],
  context: ClaudeCodeContext,
): Verdict {
  // The client's own words about a failure, in the assistant's place.
  if (line.isApiErrorMessage === true || fieldsOf(line.message).model === "<synthetic>") {
    return skip("client-message");
  }
  const texts: string[] = [];
  const rules: SkipRule[] = [];
  let isOdd = false;
  for (const block of blocks) {
    const text = textOf(block.text);
    const rule = BLOCK_RULES.get(block.type);
    if (block.type === "text" && text !== undefined) texts.push(text);
    else if (rule === undefined) isOdd = true;
    else rules.push(rule);
  }
  const text = texts.join("\n").trim();
  const turns = text === "" ? [] : [turnOf(line, "assistant", text, context)];
  return verdictOf(turns, rules, isOdd);
}

function verdictOf(turns: readonly Turn[], rules: readonly SkipRule[], isOdd: boolean): Verdict {
  if (turns.length > 0) return { kind: "turns", turns, isOddToo: isOdd };
  return isOdd ? UNKNOWN : skip(rules[0] ?? "no-text");
}

/**
 * What was typed while the assistant worked, and given to it between two tool calls: it stands in no
 * line of type `user`.
 */
function queuedPrompt(line: Fields, context: ClaudeCodeContext): Verdict {
  const { type, prompt, commandMode, origin } = fieldsOf(line.attachment);
  if (type !== "queued_command") return skip("bookkeeping");
  if (line.isSidechain === true) return skip("subagent");
  if (isNotHuman(origin) || (commandMode !== undefined && commandMode !== "prompt")) {
    return skip("injected");
  }
  const judged = typedText(typeof prompt === "string" ? prompt : resultText(prompt));
  if (judged.typed === undefined) return skip(judged.rule);
  return { kind: "turns", turns: [turnOf(line, "user", judged.typed, context)] };
}

function isNotHuman(origin: unknown): boolean {
  const { kind } = fieldsOf(origin);
  return kind !== undefined && kind !== "human";
}

/** A tool result's content: a text, or blocks of which the texts count. */
function resultText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map(fieldsOf)
    .flatMap(({ type, text }) => (type === "text" && typeof text === "string" ? [text] : []))
    .join("\n");
}

function turnOf(line: Fields, role: Turn["role"], text: string, context: ClaudeCodeContext): Turn {
  // A branched session begins with copies of another's lines: they were said there.
  const { sessionId: forkedFrom } = fieldsOf(line.forkedFrom);
  return {
    role,
    text,
    sessionId: textOf(forkedFrom) ?? textOf(line.sessionId) ?? context.sessionId,
    channel: "line",
    at: textOf(line.timestamp),
    cwd: textOf(line.cwd),
    uuid: textOf(line.uuid),
    gitBranch: textOf(line.gitBranch),
    model: role === "assistant" ? textOf(fieldsOf(line.message).model) : undefined,
  };
}
