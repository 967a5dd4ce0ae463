import fc from "fast-check";
import { expect, it } from "vitest";
import { readQuestion, termsOf } from "../../src/text/question.ts";
import { makeSnippet } from "../../src/text/snippet.ts";

const FILLER = "It was the age of wisdom, it was the age of foolishness. ".repeat(20);
const TEXT = `${FILLER}The Café on the corner of Müller straße sells 👍🏽 brownies. ${FILLER}`;

function snippet(query: string, text = TEXT, charsMax = 100): string {
  return makeSnippet(text, termsOf(readQuestion(query).words), charsMax);
}

/** The snippet without what was added to it. */
function bare(marked: string): string {
  return marked.replace(/^…|…$/g, "").replace(/[«»]/g, "");
}

it("S4: shows the words around the densest match, marked as the index matches", () => {
  expect(snippet("cafe MULLER strasse")).toContain("«Café» on the corner of «Müller» «straße»");
  expect(snippet("👍")).toContain("«👍»");
});

it("S4: prefers a place with more of the asked words over an earlier one", () => {
  const shown = snippet("wisdom corner brownies");
  expect(shown).toContain("«corner»");
  expect(shown).toContain("«brownies»");
});

it("S4: marks CJK words, also beside characters with another normal form", () => {
  expect(snippet("天気", "ｶﾞｽ、今日は良い天気ですね")).toBe("ｶﾞｽ、今日は良い«天気»ですね");
});

it("S4: marks a decomposed letter with its accent", () => {
  expect(snippet("café", "one cafe\u0301 two")).toBe("one «cafe\u0301» two");
});

it("S4: shows the beginning when nothing matches", () => {
  expect(snippet("zebra")).toMatch(/^It was the age .*…$/);
  expect(snippet("zebra", "short")).toBe("short");
  expect(snippet("", "")).toBe("");
});

it("S4: is bounded, verbatim but for the marks, and splits no surrogate pair", () => {
  const piece = fc.constantFrom(
    "cat ",
    "👍",
    "e\u0301",
    "漢字",
    "\ud800",
    "a/b_C ",
    "\n",
    "ｶﾞ",
    "x".repeat(40),
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 80 }),
      fc.integer({ min: 0, max: 120 }),
      fc.constantFrom("cat", "👍 漢字", "b c", "none"),
      (pieces, charsMax, query) => {
        const text = pieces.join("");
        const shown = makeSnippet(text, termsOf(readQuestion(query).words), charsMax);
        expect(shown.length).toBeLessThanOrEqual(charsMax);
        expect(text).toContain(bare(shown));
        if (text.isWellFormed()) expect(shown.isWellFormed()).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

it("S4: a match in the middle of a long text is inside the snippet, whole", () => {
  for (const charsMax of [12, 20, 40, 80, 320]) {
    expect(snippet("brownies", TEXT, charsMax)).toContain("«brownies»");
  }
});
