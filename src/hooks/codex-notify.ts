/**
 * Codex's older way to tell of a turn: the program of its setting `notify` gets one JSON argument
 * `{"type":"agent-turn-complete", …}` with a whole turn, the user's messages and the last answer.
 *
 * Guarantees: where hooks are installed beside it, the same turn has the same id, so that it is
 * stored once.
 */
import {
  facts,
  type HookEvent,
  HookFault,
  type HookTurn,
  optionalText,
  type Payload,
} from "./hook-event.ts";

const KIND = "agent-turn-complete";

/** @throws HookFault FIELD_MISSING */
export function codexNotification(payload: Payload): HookEvent {
  const name = optionalText(payload, "type");
  if (name === undefined) throw new HookFault("FIELD_MISSING", "type");
  if (name !== KIND) return { kind: "ignored", name };
  const turnId = optionalText(payload, "turn-id");
  const cwd = optionalText(payload, "cwd") ?? "";
  const metadata = {
    client: "codex",
    event: name,
    ...facts(payload, ["cwd"]),
    ...(turnId === undefined ? {} : { turn_id: turnId.slice(0, 1_024) }),
  };
  const asked = payload["input-messages"];
  const answered = payload["last-assistant-message"];
  if (!Array.isArray(asked) && typeof answered !== "string") {
    throw new HookFault("FIELD_MISSING", "input-messages");
  }
  const turns: HookTurn[] = texts(asked).map((surface, index, all) => {
    // The same words twice in one turn are two messages; told once more, they are the same two.
    const earlier = all.slice(0, index).filter((other) => other === surface).length;
    const id = turnId === undefined || earlier === 0 ? turnId : `${turnId}#${earlier + 1}`;
    return { role: "user", surface, turnId: id, metadata };
  });
  for (const surface of texts([answered])) {
    turns.push({ role: "assistant", surface, turnId, metadata });
  }
  if (turns.length === 0) return { kind: "ignored", name };
  // Before it named the thread, a turn was all there was to hold on to.
  const sessionId = optionalText(payload, "thread-id") ?? "";
  return { kind: "turns", name, sessionId, cwd, turns };
}

function texts(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is string => typeof item === "string" && item !== "");
}
