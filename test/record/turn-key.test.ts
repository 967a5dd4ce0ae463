/** The key that keeps a turn from being stored twice, and two turns from becoming one. */
import { describe, expect, it } from "vitest";
import { type Turn, turnKey } from "../../src/record/turn-key.ts";

const turn: Turn = {
  client: "claude-code",
  sessionId: "8c35adc1",
  role: "user",
  surface: "Yes.",
  nth: 1,
};

describe("turnKey", () => {
  it("is pinned: what a hook stored must meet what an import finds years later", () => {
    expect(turnKey(turn)).toMatchInlineSnapshot(
      `"turn:claude-code:df9e9d8607e483eb6109d1babe18a848:user:5f9a2b795615ba6a3d5455fd5624d773:1"`,
    );
  });

  it("differs by client, session, role, words and count", () => {
    const others: Partial<Turn>[] = [
      {},
      { client: "codex" },
      { sessionId: "8c35adc2" },
      { role: "assistant" },
      { surface: "Yes" },
      { nth: 2 },
    ];
    const keys = others.map((other) => turnKey({ ...turn, ...other }));
    expect(new Set(keys).size).toBe(others.length);
  });

  it("stays short for a session with a long name", () => {
    expect(turnKey({ ...turn, sessionId: "s".repeat(100_000) }).length).toBeLessThan(200);
  });
});
