import { describe, expect, it } from "vitest";
import {
  type CodexMemory,
  codexLine,
} from "../../../../src/memory/transfer/transcripts/codex-line.ts";
import {
  CODEX_SESSION,
  codex,
  codexEvent,
  codexItem,
  codexMeta,
  type Line,
} from "../../../support/transcript-lines.ts";

/** Outcomes of the lines, one after the other: `role: text`, the rule, or "unknown". */
function outcomes(lines: readonly unknown[], includeTools = false): string[] {
  const memory: CodexMemory = {};
  return lines.map((line) => {
    const verdict = codexLine(line, { memory, sessionId: "from-the-name", includeTools });
    if (verdict.kind === "skip") return verdict.rule;
    if (verdict.kind === "unknown") return "unknown";
    return verdict.turns.map(({ role, text }) => `${role}: ${text}`).join(" | ");
  });
}

const outcome = (line: unknown, includeTools = false) => outcomes([line], includeTools)[0];

const ENVIRONMENT = "<environment_context>\n  <cwd>/w</cwd>\n</environment_context>";

describe("the current form", () => {
  it("C2: event and item tell the same text", () => {
    const lines = [
      codexMeta(),
      codexItem(
        "user",
        ENVIRONMENT,
        "# AGENTS.md instructions for /w\n\nUse tabs.",
        "Where ",
        "is it?",
      ),
      codexEvent("user_message", "Where is it?", { kind: "plain" }),
      codexItem("assistant", "In src.<oai-mem-citation>a</oai-mem-citation>"),
      codexEvent("agent_message", "In src."),
      codex("event_msg", {
        type: "item_completed",
        item: { type: "AgentMessage", content: [{ type: "Text", text: "In src." }] },
      }),
    ];
    expect(outcomes(lines)).toEqual([
      "bookkeeping",
      ...["user: Where is it?", "user: Where is it?"],
      ...["assistant: In src.", "assistant: In src.", "assistant: In src."],
    ]);
  });

  it("C2: the session's line is remembered for those behind it, the first one only", () => {
    const memory: CodexMemory = {};
    const context = { memory, sessionId: "from-the-name", includeTools: false };
    const turn = () => codexLine(codexEvent("user_message", "x"), context);
    expect(turn()).toMatchObject({ turns: [{ sessionId: "from-the-name" }] });
    codexLine(codexMeta(), context);
    codexLine(codexMeta({ id: "the-origin-of-a-fork" }), context);
    codexLine(codex("turn_context", { cwd: "/elsewhere" }), context);
    expect(turn()).toMatchObject({
      turns: [{ sessionId: CODEX_SESSION, cwd: "/elsewhere", gitBranch: "main" }],
    });
    expect(JSON.parse(JSON.stringify(memory))).toEqual(memory);
  });

  const SKIPPED: [string, Line, string][] = [
    ["surroundings", codexItem("user", ENVIRONMENT), "injected"],
    ["instructions", codexItem("user", "# AGENTS.md instructions for /w\n\nx"), "injected"],
    ["old instructions", codexItem("user", "<user_instructions>x</user_instructions>"), "injected"],
    ["the developer's words", codexItem("developer", "Be brief."), "injected"],
    [
      "an event of that kind",
      codexEvent("user_message", "x", { kind: "user_instructions" }),
      "injected",
    ],
    ["a picture alone", codexItem("user", "<image name=[Image #1]>", "</image>"), "no-text"],
    ["an empty answer", codexItem("assistant", ""), "no-text"],
    ["an aborted turn", codexItem("user", "<turn_aborted>x</turn_aborted>"), "interruption"],
    ["the event of it", codex("event_msg", { type: "turn_aborted" }), "interruption"],
    [
      "a shell command",
      codexItem("user", "<user_shell_command>ls</user_shell_command>"),
      "local-command",
    ],
    ["reasoning", codex("response_item", { type: "reasoning", summary: [] }), "thinking"],
    ["told reasoning", codex("event_msg", { type: "agent_reasoning", text: "x" }), "thinking"],
    ["a call", codex("response_item", { type: "function_call", name: "shell" }), "tool"],
    ["its output", codex("response_item", { type: "function_call_output", output: "x" }), "tool"],
    ["a search", codex("response_item", { type: "web_search_call" }), "tool"],
    ["a count", codex("event_msg", { type: "token_count" }), "bookkeeping"],
    [
      "an end",
      codex("event_msg", { type: "task_complete", last_agent_message: "x" }),
      "bookkeeping",
    ],
    ["a command's end", codex("event_msg", { type: "exec_command_end" }), "bookkeeping"],
    ["a compaction", codex("compacted", { message: "x" }), "bookkeeping"],
    ["a snapshot", codex("response_item", { type: "ghost_snapshot" }), "bookkeeping"],
  ];
  it.each(SKIPPED)("C2: %s has a rule", (_, line, rule) => {
    expect(outcome(line)).toBe(rule);
  });

  it("C2: outputs of tools are turns of the tool only when asked for", () => {
    const output = (value: unknown) =>
      outcome(codex("response_item", { type: "function_call_output", output: value }), true);
    expect(output("plain")).toBe("tool: plain");
    expect(output({ content: "inside", success: true })).toBe("tool: inside");
    expect(output([{ type: "input_text", text: "a" }, { type: "input_image" }])).toBe("tool: a");
    expect(output({ content: { content: "deep" } })).toBe("no-text");
  });

  it("C2: what a helper's session holds is no turn of the user's", () => {
    const meta = codexMeta({ source: { subagent: "review" } });
    expect(outcomes([meta, codexEvent("user_message", "x")])).toEqual(["bookkeeping", "subagent"]);
    const named = codexMeta({ thread_source: "subagent" });
    expect(outcomes([named, codexItem("assistant", "x")])).toEqual(["bookkeeping", "subagent"]);
  });

  it.each([
    ["a type that is not known", codex("hologram", {})],
    ["an event that is not known", codex("event_msg", { type: "hologram" })],
    ["an item that is not known", codex("response_item", { type: "hologram" })],
    ["an event without a message", codex("event_msg", { type: "agent_message" })],
    ["a message without content", codex("response_item", { type: "message", role: "user" })],
    ["a role that is not known", codexItem("narrator", "x")],
    ["an empty object", {}],
    ["a text", "user"],
  ])("C2: %s is unknown", (_, line) => {
    expect(outcome(line)).toBe("unknown");
  });
});

describe("the older form", () => {
  it("C2: bare items behind a first line with the session, which gives them their time", () => {
    const memory: CodexMemory = {};
    const context = { memory, sessionId: "from-the-name", includeTools: false };
    const lines = [
      { id: "old-session", timestamp: "2025-06-01T10:00:00.000Z", instructions: null },
      { record_type: "state" },
      { type: "message", role: "user", content: [{ type: "input_text", text: "Where?" }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "Here." }] },
      { type: "function_call", name: "shell" },
      { type: "hologram" },
    ];
    const [meta, state, user, assistant, call, odd] = lines.map((line) => codexLine(line, context));
    expect([meta, state]).toEqual(Array(2).fill({ kind: "skip", rule: "bookkeeping" }));
    expect(user).toMatchObject({
      turns: [
        { role: "user", text: "Where?", sessionId: "old-session", at: "2025-06-01T10:00:00.000Z" },
      ],
    });
    expect(assistant).toMatchObject({ turns: [{ role: "assistant", text: "Here." }] });
    expect([call, odd]).toEqual([{ kind: "skip", rule: "tool" }, { kind: "unknown" }]);
  });
});
