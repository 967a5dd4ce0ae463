import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { clientEvent } from "../../src/hooks/client-event.ts";
import { codexNotification } from "../../src/hooks/codex-notify.ts";
import { hookCall, hookFlags } from "../../src/hooks/hook-call.ts";
import { HookFault, type Payload, parsePayload } from "../../src/hooks/hook-event.ts";
import { lastAssistantTexts } from "../../src/hooks/transcript-tail.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const claude = (payload: Payload, tools = false) => clientEvent("claude-code", payload, { tools });
const BASE = { session_id: "s1", cwd: "/w" };

function faultOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof HookFault) return error.message;
    throw error;
  }
  return "";
}

describe("events", () => {
  it("C2: words of a subagent, tools and unknown events are ignored, unknown fields too", () => {
    const names = ["SubagentStop", "PreCompact", "Notification", "Whatever", "PostToolUse"];
    for (const hook_event_name of names) {
      const payload = { ...BASE, hook_event_name, tool_response: "x", new_field: { a: [1] } };
      expect(claude(payload)).toEqual({ kind: "ignored", name: hook_event_name });
    }
    const inner = { ...BASE, hook_event_name: "PostToolUse", tool_response: "x", agent_id: "a1" };
    expect(claude(inner, true).kind).toBe("ignored");
  });

  it("C2: what a tool answered is kept as it is, or as its JSON", () => {
    const tool = { ...BASE, hook_event_name: "PostToolUse", tool_name: "Bash", tool_use_id: "t1" };
    const surfaces = ["out\n", { stdout: "a", code: 0 }, [1, "b"]].map((tool_response) => {
      const event = claude({ ...tool, tool_response }, true);
      if (event.kind !== "turns") throw new Error(event.kind);
      expect(event.turns[0]).toMatchObject({ role: "tool", turnId: "t1" });
      return event.turns[0]?.surface;
    });
    expect(surfaces).toEqual(["out\n", '{"stdout":"a","code":0}', '[1,"b"]']);
    expect(faultOf(() => claude(tool, true))).toBe("FIELD_MISSING (tool_response)");
  });

  it("C2: an end without words is ignored, and a missing field is named", () => {
    const stop = { ...BASE, hook_event_name: "Stop" };
    for (const last_assistant_message of ["", null]) {
      expect(claude({ ...stop, last_assistant_message }).kind).toBe("ignored");
    }
    const faults = [
      () => claude({ ...stop, last_assistant_message: 7 }),
      () => claude(stop),
      () => claude({ ...stop, transcript_path: "/nowhere/t.jsonl" }),
      () => claude({ ...stop, transcript_path: "/dev" }),
      () => claude({ ...BASE, hook_event_name: "UserPromptSubmit" }),
      () => claude({ hook_event_name: "UserPromptSubmit", prompt: "x" }),
      () => claude({ ...BASE, prompt: "x" }),
      () => parsePayload(" \n"),
      () => parsePayload("[1]"),
      () => parsePayload("{"),
      () => codexNotification({}),
      () => codexNotification({ type: "agent-turn-complete" }),
    ].map(faultOf);
    expect(faults).toEqual([
      "FIELD_MISSING (last_assistant_message)",
      "FIELD_MISSING (transcript_path)",
      "TRANSCRIPT_UNREADABLE (transcript_path)",
      "TRANSCRIPT_UNREADABLE (transcript_path)",
      "FIELD_MISSING (prompt)",
      "FIELD_MISSING (session_id)",
      "FIELD_MISSING (hook_event_name)",
      "INPUT_EMPTY",
      "INPUT_NOT_JSON",
      "INPUT_NOT_JSON",
      "FIELD_MISSING (type)",
      "FIELD_MISSING (input-messages)",
    ]);
  });

  it("C2: Codex's notify tells a whole turn; the same words twice in it are two", () => {
    const event = codexNotification({
      type: "agent-turn-complete",
      "thread-id": "th",
      "turn-id": "7",
      cwd: "/w",
      "input-messages": ["yes", "", "yes", 3],
      "last-assistant-message": "done",
    });
    if (event.kind !== "turns") throw new Error(event.kind);
    expect(event).toMatchObject({ sessionId: "th", cwd: "/w" });
    expect(event.turns.map(({ role, surface, turnId }) => [role, surface, turnId])).toEqual([
      ["user", "yes", "7"],
      ["user", "yes", "7#2"],
      ["assistant", "done", "7"],
    ]);
    expect(codexNotification({ type: "approval-requested" }).kind).toBe("ignored");
  });
});

describe("a transcript's end", () => {
  const say = (type: string, id: string, content: unknown, more = {}) =>
    JSON.stringify({ type, message: { id, content }, ...more });
  const text = (words: string) => [{ type: "text", text: words }];
  const tail = (lines: readonly string[]) => {
    const path = join(freshDirectory(), "t.jsonl");
    writeFileSync(path, lines.join("\n"));
    return lastAssistantTexts(path);
  };

  it("C2: gives the last message line by line, past tools, thoughts, subagents and torn lines", () => {
    const lines = [
      '{"type":"torn',
      say("user", "u1", "hello"),
      say("assistant", "m0", text("earlier")),
      say("assistant", "m1", text("first \u00e9")),
      say("assistant", "m1", [{ type: "thinking", thinking: "hm" }]),
      say("assistant", "m1", [...text("\nsecond"), ...text("third\n")]),
      say("assistant", "m2", text("API Error: 529"), { isApiErrorMessage: true }),
      say("assistant", "m9", text("a subagent's"), { isSidechain: true }),
      say("assistant", "m1", [{ type: "tool_use", name: "x" }]),
      say("user", "u2", [{ type: "tool_result", content: "42" }]),
      '{"type":"summary"}',
      "null",
      '{"type":"assi',
    ];
    expect(tail(lines)).toEqual(["first \u00e9", "second\nthird"]);
  });

  it("C2: has no answer to words that have none yet", () => {
    const lines = [say("assistant", "m1", text("old")), say("user", "u1", text("new"))];
    expect(tail(lines)).toEqual([]);
    expect(tail([])).toEqual([]);
  });

  it("C2: reads a bounded part of a long file", () => {
    const filler = say("system", "x", "y".repeat(100_000));
    const lines = [...Array(60).fill(filler), say("assistant", "m1", text("here")), ""];
    expect(tail(lines)).toEqual(["here"]);
    const far = [say("assistant", "m1", text("too far back")), ...Array(60).fill(filler)];
    expect(tail(far)).toEqual([]);
  });
});

describe("the call", () => {
  it("C2: options may stand anywhere, and JSON behind codex", () => {
    const args = ["codex", "--home", "/h", "--set=hook.tools=true", '{"a": "--b"}', "--json"];
    expect(hookCall(args)).toEqual({
      client: "codex",
      payload: '{"a": "--b"}',
      flags: { home: "/h", "hook.tools": "true" },
    });
    expect(hookFlags(["--bad", "--home=/h", "--project"])).toEqual({ home: "/h" });
  });

  it("C2: a wrong call is named", () => {
    const calls = [[], ["vim"], ["codex", "--frob"], ["codex", "--home"], ["claude-code", "{}"]];
    expect(calls.map((args) => faultOf(() => hookCall(args)))).toEqual([
      "CALL_WRONG (client)",
      "CALL_WRONG (client)",
      "CALL_WRONG (--frob)",
      "CALL_WRONG (--home)",
      "CALL_WRONG (arguments)",
    ]);
  });
});
