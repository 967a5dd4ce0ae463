/**
 * Lines of Codex's rollout files, the current form (`{timestamp, type, payload}`) and the older one
 * (bare items behind a first line with the session). docs/TRANSCRIPTS.md, "Codex".
 *
 * Guarantees: what the client tells in two ways (an event for people, an item for the model) has the
 * same text in both. What a line says of the lines behind it is in `memory`, which can be stored and
 * given back. What is neither a turn nor known bookkeeping is unknown, never dropped.
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

/** What the lines so far say of those behind them. */
export interface CodexMemory {
  sessionId?: string | undefined;
  cwd?: string | undefined;
  /** Of the session: the older form has no other time. */
  startedAt?: string | undefined;
  gitBranch?: string | undefined;
  isSubagent?: boolean | undefined;
}

export interface CodexContext {
  readonly memory: CodexMemory;
  /** Until a line names the session: from the file's name. */
  readonly sessionId: string;
  readonly includeTools: boolean;
}

/** Events about the work and its display; names, and beginnings of names that stand for a family. */
const EVENT_BOOKKEEPING = oneOf(
  ...["token_count", "error", "warning", "stream_error", "background_event", "deprecation_notice"],
  ...["session_configured", "shutdown_complete", "skills_update_available", "context_compacted"],
  ...["item_started", "raw_response_item", "terminal_interaction", "entered_review_mode"],
  ...[
    "exited_review_mode",
    "task_\\w+",
    "turn_(?:started|complete|diff)",
    "undo_\\w+",
    "thread_\\w+",
  ],
  ...["patch_apply_\\w+", "exec_command_\\w+", "mcp_tool_call_\\w+", "web_search_\\w+"],
  ...["image_generation_\\w+", "view_image_tool_call", "dynamic_tool_call_\\w+", "collab_\\w+"],
  ...["plan_\\w+", "model_\\w+", "hook_\\w+", "guardian_\\w+", "sub_agent_\\w+", "\\w+_delta"],
);
const ITEM_TOOLS = oneOf(
  ...["(?:custom_tool|function|mcp_tool|local_shell|computer)_call(?:_output)?"],
  ...["(?:web_search|file_search|image_generation)_call", "tool_search_(?:call|output)"],
);
const ITEM_BOOKKEEPING = oneOf(
  ...["ghost_snapshot", "(?:context_)?compaction\\w*", "item_reference", "other"],
);
const LINE_BOOKKEEPING: ReadonlySet<unknown> = new Set([
  "turn_context",
  "compacted",
  "world_state",
  "inter_agent_communication",
  "inter_agent_communication_metadata",
]);
const CITATION = { open: "<oai-mem-citation>", close: "</oai-mem-citation>" };

export function codexLine(json: unknown, context: CodexContext): Verdict {
  const line = fieldsOf(json);
  const payload = fieldsOf(line.payload);
  switch (line.type) {
    case "session_meta":
      return rememberSession(payload, context.memory);
    case "turn_context":
      context.memory.cwd = textOf(payload.cwd) ?? context.memory.cwd;
      return skip("bookkeeping");
    case "response_item":
      return item(payload, line.timestamp, context);
    case "event_msg":
      return event(payload, line.timestamp, context);
  }
  if (LINE_BOOKKEEPING.has(line.type)) return skip("bookkeeping");
  if (line.payload !== undefined) return UNKNOWN;
  // The older form.
  if (line.record_type !== undefined) return skip("bookkeeping");
  if (
    line.type === undefined &&
    typeof line.id === "string" &&
    typeof line.timestamp === "string"
  ) {
    return rememberSession(line, context.memory);
  }
  return item(line, line.timestamp, context);
}

function rememberSession(meta: Fields, memory: CodexMemory): Verdict {
  // A forked session repeats the first lines of its origin behind its own.
  if (memory.sessionId !== undefined) return skip("bookkeeping");
  memory.sessionId = textOf(meta.id) ?? textOf(meta.session_id);
  memory.cwd = textOf(meta.cwd);
  memory.startedAt = textOf(meta.timestamp);
  memory.gitBranch = textOf(fieldsOf(meta.git).branch);
  const isSubagent = meta.thread_source === "subagent" || "subagent" in fieldsOf(meta.source);
  if (isSubagent) memory.isSubagent = true;
  return skip("bookkeeping");
}

function event(payload: Fields, at: unknown, context: CodexContext): Verdict {
  const { type, message, kind } = payload;
  if (type === "user_message") {
    if (typeof message !== "string") return UNKNOWN;
    if (kind === "environment_context" || kind === "user_instructions") return skip("injected");
    return typedTurn([message], "event", at, context);
  }
  if (type === "agent_message") {
    return typeof message === "string" ? saidTurn(message, "event", at, context) : UNKNOWN;
  }
  if (type === "item_completed") return completedItem(fieldsOf(payload.item), at, context);
  if (type === "turn_aborted") return skip("interruption");
  if (typeof type !== "string") return UNKNOWN;
  if (/^agent_reasoning/.test(type)) return skip("thinking");
  return EVENT_BOOKKEEPING.test(type) ? skip("bookkeeping") : UNKNOWN;
}

function completedItem(done: Fields, at: unknown, context: CodexContext): Verdict {
  const texts = Array.isArray(done.content) ? textsIn(done.content) : [];
  if (done.type === "UserMessage") return typedTurn([texts.join("")], "completed", at, context);
  if (done.type === "AgentMessage") return saidTurn(texts.join(""), "completed", at, context);
  if (done.type === "Reasoning") return skip("thinking");
  return skip("bookkeeping");
}

function item(payload: Fields, at: unknown, context: CodexContext): Verdict {
  const { type, role, content } = payload;
  if (type === "reasoning") return skip("thinking");
  if (type === "message") {
    if (!Array.isArray(content)) return UNKNOWN;
    if (role === "user") return typedTurn(textsIn(content), "item", at, context);
    if (role === "assistant") return saidTurn(textsIn(content).join(""), "item", at, context);
    return role === "developer" || role === "system" ? skip("injected") : UNKNOWN;
  }
  if (typeof type !== "string") return UNKNOWN;
  if (ITEM_BOOKKEEPING.test(type)) return skip("bookkeeping");
  if (!ITEM_TOOLS.test(type)) return UNKNOWN;
  if (!context.includeTools || !type.endsWith("_output")) return skip("tool");
  const output = outputText(payload.output);
  return output.trim() === "" ? skip("no-text") : turns("tool", output, "item", at, context);
}

/** What the client added goes; what was typed in pieces is one text, as the client's own event has it. */
function typedTurn(
  pieces: readonly string[],
  channel: string,
  at: unknown,
  context: CodexContext,
): Verdict {
  const typed: string[] = [];
  let rule: SkipRule = "no-text";
  for (const piece of pieces) {
    if (/^<\/?image\b[^>]*>$/.test(piece.trim())) continue; // the place of a picture
    const judged = typedText(piece);
    if (judged.typed !== undefined) typed.push(judged.typed);
    else if (rule === "no-text") rule = judged.rule;
  }
  return typed.length === 0 ? skip(rule) : turns("user", typed.join(""), channel, at, context);
}

function saidTurn(text: string, channel: string, at: unknown, context: CodexContext): Verdict {
  const shown = withoutCitations(text);
  return shown.trim() === "" ? skip("no-text") : turns("assistant", shown, channel, at, context);
}

function turns(
  role: Turn["role"],
  text: string,
  channel: string,
  at: unknown,
  { memory, sessionId }: CodexContext,
): Verdict {
  if (memory.isSubagent === true) return skip("subagent");
  const turn: Turn = {
    role,
    text,
    sessionId: memory.sessionId ?? sessionId,
    channel,
    at: textOf(at) ?? memory.startedAt,
    cwd: memory.cwd,
    uuid: undefined,
    gitBranch: memory.gitBranch,
    model: undefined,
  };
  return { kind: "turns", turns: [turn] };
}

function textsIn(content: readonly unknown[]): string[] {
  return content.map(fieldsOf).flatMap(({ text }) => (typeof text === "string" ? [text] : []));
}

/** A text, pieces of text, or an object that holds either. */
function outputText(output: unknown): string {
  const content = fieldsOf(output).content ?? output;
  if (typeof content === "string") return content;
  return Array.isArray(content) ? textsIn(content).join("\n") : "";
}

/** The client shows an answer without the marks of what it relied on. */
function withoutCitations(text: string): string {
  let shown = "";
  let from = 0;
  for (;;) {
    const open = text.indexOf(CITATION.open, from);
    if (open === -1) return shown + text.slice(from);
    shown += text.slice(from, open);
    const close = text.indexOf(CITATION.close, open);
    if (close === -1) return shown;
    from = close + CITATION.close.length;
  }
}

function oneOf(...names: readonly string[]): RegExp {
  return new RegExp(`^(?:${names.join("|")})$`);
}
