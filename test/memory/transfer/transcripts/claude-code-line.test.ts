import { describe, expect, it } from "vitest";
import { claudeCodeLine } from "../../../../src/memory/transfer/transcripts/claude-code-line.ts";
import type { Verdict } from "../../../../src/memory/transfer/transcripts/line-verdict.ts";
import {
  type Line,
  queued,
  said,
  toolCall,
  toolResult,
  typed,
} from "../../../support/transcript-lines.ts";

const judge = (line: unknown, includeTools = false): Verdict =>
  claudeCodeLine(line, { sessionId: "from-the-name", includeTools });

/** `role: text` of each turn, the rule, or "unknown". */
function outcome(line: unknown, includeTools = false): string {
  const verdict = judge(line, includeTools);
  if (verdict.kind === "skip") return verdict.rule;
  if (verdict.kind === "unknown") return "unknown";
  const odd = verdict.isOddToo === true ? " + unknown" : "";
  return verdict.turns.map(({ role, text }) => `${role}: ${text}`).join(" | ") + odd;
}

describe("turns", () => {
  const TURNS: [string, Line, string][] = [
    ["a typed text", typed("  Where does it listen?\n"), "user:   Where does it listen?\n"],
    [
      "a typed text in blocks, beside a picture",
      typed([
        { type: "text", text: "What is this?" },
        { type: "image", source: { type: "base64", data: "AAAA" } },
      ]),
      "user: What is this?",
    ],
    [
      "an answer, blank ends off as the Stop hook has it",
      said("\n\nAt 5433.\n"),
      "assistant: At 5433.",
    ],
    [
      "the text blocks of one line, joined as the Stop hook has them",
      said([
        { type: "thinking", thinking: "hm" },
        { type: "text", text: "One." },
        { type: "text", text: "Two." },
      ]),
      "assistant: One.\nTwo.",
    ],
    ["words typed while it worked", queued("and the tests too"), "user: and the tests too"],
    [
      "the same in blocks",
      queued([{ type: "text", text: "look" }, { type: "image" }]),
      "user: look",
    ],
    [
      "a slash command with words",
      typed(
        "<command-message>review</command-message>\n<command-name>/review</command-name>\n" +
          "<command-args>the parser, please</command-args>",
      ),
      "user: /review the parser, please",
    ],
    [
      "a quoted reminder with a question behind it",
      typed("<system-reminder>x</system-reminder> what does this mean?"),
      "user: <system-reminder>x</system-reminder> what does this mean?",
    ],
    ["a tag of the user's own", typed("<div>fix this</div>"), "user: <div>fix this</div>"],
    [
      "what stands beside the mark of an interruption",
      typed([
        { type: "text", text: "[Request interrupted by user]" },
        { type: "text", text: "keep the old name" },
      ]),
      "user: keep the old name",
    ],
    [
      "a text beside a block of an unknown kind, which is kept too",
      said([{ type: "text", text: "Here." }, { type: "hologram" }]),
      "assistant: Here. + unknown",
    ],
  ];
  it.each(TURNS)("C2: %s", (_, line, expected) => {
    expect(outcome(line)).toBe(expected);
  });

  it("C2: a turn knows its session, time, place and id; a branch's copies belong to their origin", () => {
    const line = typed("x", { sessionId: "s", timestamp: "t", uuid: "u", cwd: "/w" });
    expect(judge(line)).toMatchObject({
      turns: [
        { sessionId: "s", at: "t", uuid: "u", cwd: "/w", gitBranch: "main", channel: "line" },
      ],
    });
    const { sessionId: _, ...nameless } = line;
    expect(judge(nameless)).toMatchObject({ turns: [{ sessionId: "from-the-name" }] });
    const copied = { ...line, forkedFrom: { sessionId: "origin", messageUuid: "u" } };
    expect(judge(copied)).toMatchObject({ turns: [{ sessionId: "origin" }] });
  });

  it("C2: results of tools are turns of the tool only when asked for", () => {
    const blocks = [
      { type: "text", text: "one" },
      { type: "image" },
      { type: "text", text: "two" },
    ];
    expect(outcome(toolResult(blocks))).toBe("tool");
    expect(outcome(toolResult(blocks), true)).toBe("tool: one\ntwo");
    expect(outcome(toolResult("plain"), true)).toBe("tool: plain");
    expect(outcome(toolResult(undefined), true)).toBe("no-text");
    expect(outcome(toolCall("Read"), true)).toBe("tool");
  });
});

describe("lines that are no turn", () => {
  const SKIPPED: [string, Line, string][] = [
    ["a title", { type: "summary", summary: "About ports", leafUuid: "u" }, "bookkeeping"],
    ["a snapshot", { type: "file-history-snapshot", snapshot: {} }, "bookkeeping"],
    ["a system line", { type: "system", subtype: "turn_duration" }, "bookkeeping"],
    ["another attachment", { type: "attachment", attachment: { type: "todo" } }, "bookkeeping"],
    ["reasoning", said([{ type: "thinking", thinking: "hm" }]), "thinking"],
    ["a tool call", toolCall("Bash"), "tool"],
    ["blanks", typed(" \n"), "no-text"],
    ["a picture alone", typed([{ type: "image" }]), "no-text"],
    ["an empty answer", said("\n"), "no-text"],
    ["a meta line", typed("Caveat", { isMeta: true }), "injected"],
    ["a reminder", typed("<system-reminder>\nx</system-reminder>\n"), "injected"],
    [
      "two wrappers in a row",
      typed("<ide_opened_file>a</ide_opened_file>\n<system-reminder>b</system-reminder>"),
      "injected",
    ],
    [
      "a notice of a task",
      typed("<task-notification>done</task-notification>\nRead it."),
      "injected",
    ],
    ["what another agent wrote", typed("hello", { origin: { kind: "peer" } }), "injected"],
    ["a queued notice", queued("x", { commandMode: "task-notification" }), "injected"],
    ["a queued notice by origin", queued("x", { origin: { kind: "coordinator" } }), "injected"],
    ["output", typed("<local-command-stdout>ok</local-command-stdout>"), "local-command"],
    ["a shell command", typed("<bash-input>ls</bash-input>"), "local-command"],
    [
      "the old caveat",
      typed(
        "Caveat: The messages below were generated by the user while running local commands. Do",
      ),
      "local-command",
    ],
    [
      "a bare command",
      typed("<command-name>/clear</command-name>\n<command-args></command-args>"),
      "bare-command",
    ],
    [
      "an interruption",
      typed([{ type: "text", text: "[Request interrupted by user]" }]),
      "interruption",
    ],
    ["a summary", typed("This session …", { isCompactSummary: true }), "compact-summary"],
    [
      "an old summary",
      typed("This session is being continued from a previous conversation that ran out"),
      "compact-summary",
    ],
    ["a helper's line", said("x", { isSidechain: true }), "subagent"],
    ["an API error", said("API Error: 500", { isApiErrorMessage: true }), "client-message"],
    [
      "a made-up answer",
      said("x", { message: { model: "<synthetic>", content: [{ type: "text", text: "No." }] } }),
      "client-message",
    ],
  ];
  it.each(SKIPPED)("C2: %s has a rule", (_, line, rule) => {
    expect(outcome(line)).toBe(rule);
  });

  it.each([
    ["a type that is not known", { type: "hologram", text: "x" }],
    ["a line without a type", { message: { content: "x" } }],
    ["content of an unknown form", typed({ text: "x" })],
    ["blocks of unknown kinds alone", said([{ type: "hologram" }])],
    ["a text block without a text", said([{ type: "text" }])],
    ["a list", ["user"]],
    ["a number", 7],
    ["null", null],
  ])("C2: %s is unknown", (_, line) => {
    expect(outcome(line)).toBe("unknown");
  });

  it("X2: a text of a million wrappers takes linear time", () => {
    const wrappers = "<skill></skill>".repeat(70_000);
    expect(outcome(typed(wrappers))).toBe("injected");
    expect(outcome(typed(`${wrappers}<skill>`))).toMatch(/^user: /);
  });
});
