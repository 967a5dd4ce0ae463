/**
 * The hook events of Claude Code and Codex, which speak nearly the same JSON. docs/HOOKS.md lists
 * the fields with their sources.
 *
 * Guarantees: every event there is or will be has an answer: captured, a session's start, or
 * ignored. What happens inside of a subagent is ignored: it is the assistant's talk with itself,
 * and its result comes back as the assistant's own words.
 */
import {
  type Client,
  facts,
  type HookEvent,
  HookFault,
  type HookTurn,
  optionalText,
  type Payload,
  requiredText,
} from "./hook-event.ts";
import { lastAssistantTexts } from "./transcript-tail.ts";

const FACTS = ["cwd", "model", "permission_mode", "prompt_id", "turn_id"];
const TOOL_FACTS = ["tool_name", "tool_use_id"];

export interface EventOptions {
  /** Whether what tools answered is captured too. */
  readonly tools: boolean;
}

/** @throws HookFault FIELD_MISSING, TRANSCRIPT_UNREADABLE */
export function clientEvent(client: Client, payload: Payload, options: EventOptions): HookEvent {
  const name = requiredText(payload, "hook_event_name");
  if (optionalText(payload, "agent_id") !== undefined) return { kind: "ignored", name };
  switch (name) {
    case "UserPromptSubmit":
      return turnsOf(payload, name, [
        turn(client, payload, "user", requiredText(payload, "prompt")),
      ]);
    case "Stop": {
      // None: it ended without a word, with a tool's call for example.
      const said = lastMessages(payload);
      return turnsOf(
        payload,
        name,
        said.map((words) => turn(client, payload, "assistant", words)),
      );
    }
    case "PostToolUse":
      return options.tools
        ? turnsOf(payload, name, [toolTurn(client, payload)])
        : { kind: "ignored", name };
    case "SessionStart":
      return {
        kind: "session-start",
        name,
        cwd: optionalText(payload, "cwd") ?? "",
        source: optionalText(payload, "source") ?? "",
      };
    default:
      return { kind: "ignored", name };
  }
}

function turnsOf(payload: Payload, name: string, turns: readonly HookTurn[]): HookEvent {
  const said = turns.filter(({ surface }) => surface !== "");
  if (said.length === 0) return { kind: "ignored", name };
  const cwd = optionalText(payload, "cwd") ?? "";
  return { kind: "turns", name, sessionId: requiredText(payload, "session_id"), cwd, turns: said };
}

function turn(client: Client, payload: Payload, role: HookTurn["role"], surface: string): HookTurn {
  return {
    role,
    surface,
    turnId: optionalText(payload, "prompt_id") ?? optionalText(payload, "turn_id"),
    metadata: { client, event: requiredText(payload, "hook_event_name"), ...facts(payload, FACTS) },
  };
}

function toolTurn(client: Client, payload: Payload): HookTurn {
  const answer = payload.tool_response;
  if (answer === undefined) throw new HookFault("FIELD_MISSING", "tool_response");
  const surface = typeof answer === "string" ? answer : JSON.stringify(answer);
  const { metadata, turnId, role } = turn(client, payload, "tool", surface);
  return {
    role,
    surface,
    turnId: optionalText(payload, "tool_use_id") ?? turnId,
    metadata: { ...metadata, ...facts(payload, TOOL_FACTS) },
  };
}

/**
 * Newer clients hand over the words themselves; null or "" is an end without any. Older ones only
 * name the file in which they stand.
 */
function lastMessages(payload: Payload): string[] {
  if (Object.hasOwn(payload, "last_assistant_message")) {
    const said = payload.last_assistant_message;
    if (said === null) return [];
    if (typeof said !== "string") throw new HookFault("FIELD_MISSING", "last_assistant_message");
    return [said];
  }
  return lastAssistantTexts(requiredText(payload, "transcript_path"));
}
