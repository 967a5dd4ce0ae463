import fc from "fast-check";
import { expect, it } from "vitest";
import { turnKey } from "../../src/record/turn-key.ts";
import { turnPartKey, turnParts } from "../../src/record/turn-parts.ts";
import { utf8Bytes } from "../../src/record/utf8-bytes.ts";

it("C2: parts are the text, within the limit, and cut no character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.nat(40), (text, limit) => {
      const parts = turnParts(text, limit);
      expect(parts.join("")).toBe(text);
      for (const part of parts) expect(utf8Bytes(part)).toBeLessThanOrEqual(Math.max(limit, 4));
      if (text.isWellFormed()) for (const part of parts) expect(part.isWellFormed()).toBe(true);
    }),
  );
});

it("C2: a text within the limit is one part with the turn's own key; others are numbered", () => {
  expect(turnParts("", 10)).toEqual([""]);
  expect(turnParts("0123456789", 10)).toEqual(["0123456789"]);
  expect(turnParts("01234567\u{1f375}", 10)).toEqual(["01234567", "\u{1f375}"]);
  const turn = { client: "codex", sessionId: "s", role: "user", surface: "x", nth: 1 } as const;
  expect(turnPartKey(turn, 1, 1)).toBe(turnKey(turn));
  expect(turnPartKey(turn, 2, 3)).toBe(`${turnKey(turn)}:2/3`);
});
