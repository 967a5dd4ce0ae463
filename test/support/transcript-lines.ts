/** Lines in the forms of the clients' transcripts, with words of our own. */

export type Line = Record<string, unknown>;

let made = 0;

/** Times a second apart, in the order of making. */
export function timeOf(n: number): string {
  return new Date(Date.parse("2026-03-01T09:00:00.000Z") + n * 1_000).toISOString();
}

/** What most lines of Claude Code have. */
function claudeCode(type: string, more: Line): Line {
  made++;
  return {
    parentUuid: null,
    isSidechain: false,
    userType: "external",
    cwd: "/home/ada/atlas",
    sessionId: "5f0f3a52-0000-4000-8000-000000000001",
    version: "2.1.9",
    gitBranch: "main",
    type,
    uuid: `00000000-0000-4000-8000-${String(made).padStart(12, "0")}`,
    timestamp: timeOf(made),
    ...more,
  };
}

export function typed(content: unknown, more: Line = {}): Line {
  return claudeCode("user", { message: { role: "user", content }, ...more });
}

/** @param blocks the content's; one line holds one block as a rule, of one message several lines */
export function said(blocks: string | readonly Line[], more: Line = {}): Line {
  const content = typeof blocks === "string" ? [{ type: "text", text: blocks }] : blocks;
  const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-x", content };
  return claudeCode("assistant", { requestId: "req_1", message, ...more });
}

export function toolCall(name: string): Line {
  return said([{ type: "tool_use", id: "toolu_1", name, input: { path: "a.ts" } }]);
}

export function toolResult(content: unknown): Line {
  return typed([{ type: "tool_result", tool_use_id: "toolu_1", content }]);
}

/** Queued while the assistant worked, and handed over between two tool calls. */
export function queued(prompt: unknown, more: Line = {}): Line {
  const attachment = { type: "queued_command", commandMode: "prompt", prompt, ...more };
  return claudeCode("attachment", { attachment });
}

/** A line of Codex's current form. */
export function codex(type: string, payload: Line): Line {
  made++;
  return { timestamp: timeOf(made), type, payload };
}

export const CODEX_SESSION = "019a2d7a-41c4-78b1-b7cc-a45d62a89cd5";

export function codexMeta(more: Line = {}): Line {
  return codex("session_meta", {
    id: CODEX_SESSION,
    timestamp: timeOf(0),
    cwd: "/home/ada/atlas",
    originator: "codex_cli_rs",
    cli_version: "0.65.0",
    instructions: null,
    git: { branch: "main" },
    ...more,
  });
}

export function codexItem(role: string, ...texts: readonly string[]): Line {
  const type = role === "assistant" ? "output_text" : "input_text";
  const content = texts.map((text) => ({ type, text }));
  return codex("response_item", { type: "message", role, content });
}

export function codexEvent(type: string, message: string, more: Line = {}): Line {
  return codex("event_msg", { type, message, ...more });
}

/** As a client writes them: a line feed behind each. */
export function transcript(...lines: readonly (Line | string)[]): string {
  return lines
    .map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`)
    .join("");
}
