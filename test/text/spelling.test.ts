import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mayBeMisspelt, slipsBetween, slipsMax, WORD_CHARS_MAX } from "../../src/text/spelling.ts";

describe("slips", () => {
  it("S4: a letter out, in, changed, or two swapped are one each", () => {
    for (const [one, other, slips] of [
      ["accomodate", "accommodate", 1],
      ["recieve", "receive", 1],
      ["definately", "definitely", 1],
      ["seperate", "separate", 1],
      ["adress", "address", 1],
      ["teh", "the", 1],
      ["same", "same", 0],
      ["abcd", "badc", 2],
      ["", "ab", 2],
    ] as const) {
      expect(slipsBetween(one, other, 2), `${one} ${other}`).toBe(slips);
    }
  });

  it("S4: beyond the bound it is one more than the bound", () => {
    expect(slipsBetween("kitten", "sitting", 2)).toBe(3);
    expect(slipsBetween("a", "abcdefg", 2)).toBe(3);
  });

  it("S4: count the same both ways, and nothing between equals", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 7 });
    fc.assert(
      fc.property(word, word, (one, other) => {
        expect(slipsBetween(one, other, 9)).toBe(slipsBetween(other, one, 9));
        expect(slipsBetween(one, one, 9)).toBe(0);
        if (one !== other) expect(slipsBetween(one, other, 9)).toBeGreaterThan(0);
      }),
      { seed: 20261127, numRuns: 300 },
    );
  });

  it("S4: short words have none, long ones two", () => {
    expect(["cat", "cats", "receive", "accommodate"].map(slipsMax)).toEqual([0, 1, 1, 2]);
    expect(slipsMax("x".repeat(WORD_CHARS_MAX + 1))).toBe(0);
    expect(["receive", "cat", "a1b2", "天気", "naïve", "книга"].filter(mayBeMisspelt)).toEqual([
      ...["receive", "naïve", "книга"],
    ]);
  });
});
