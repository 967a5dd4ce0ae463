/** Two short talks, one in each client's form, with what surrounds turns in real files. */
import {
  codexEvent,
  codexItem,
  codexMeta,
  queued,
  said,
  toolCall,
  toolResult,
  typed,
} from "./transcript-lines.ts";

/** Of Claude Code's lines. */
export const SESSION = "5f0f3a52-0000-4000-8000-000000000001";

/** Four turns, and one result of a tool. */
export const TALK = [
  typed("Where does staging listen?"),
  said([{ type: "thinking", thinking: "hm" }]),
  said("I will look."),
  toolCall("Read"),
  toolResult("port: 5433"),
  queued("and production?"),
  said("\n\nAt 5433; production at 5432.\n"),
];

/** Three turns, each told twice; the words of two are the same. */
export const CODEX_TALK = [
  codexMeta(),
  codexItem("user", "<environment_context>x</environment_context>"),
  codexItem("user", "yes"),
  codexEvent("user_message", "yes", { kind: "plain" }),
  codexEvent("agent_message", "Done."),
  codexItem("assistant", "Done."),
  codexItem("user", "yes"),
  codexEvent("user_message", "yes"),
];
