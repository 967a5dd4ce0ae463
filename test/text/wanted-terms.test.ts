/** Finding a question's terms gives what making all terms of the text would give. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readQuestion, termsOf } from "../../src/text/question.ts";
import { measureText } from "../../src/text/rank.ts";
import { indexTerms } from "../../src/text/terms.ts";
import { TextTerms } from "../../src/text/text-terms.ts";
import { countWanted, WantedTerms } from "../../src/text/wanted-terms.ts";

function bothWays(surface: string, terms: readonly string[]) {
  const record = { surface };
  const all = measureText(new TextTerms(record), terms);
  const found = countWanted(record, new WantedTerms(terms));
  return [[...found].sort(), [...all.frequencies].sort()];
}

const TEXTS = [
  "I went to the children's party; they ran, and we go again. He taught me.",
  "see src/store/MemoryStore.ts, snake_case_name, getUserName, HTTPServer, v1.2.3 and C#",
  "Die Häuser waren nicht so teuer, aber das Haus am Fluß ist sehr klein, Straße 5.",
  "今日は良い天気ですね。서울에서 만나요 ok 👍🏽 🇩🇪 ガス",
  "École, \u00c9TÉ, Œuvre, Æther, İstanbul, I, a, x1 IDs",
];

describe("finding a question's terms", () => {
  it("S4: finds every term of a text as often as the text holds it", () => {
    for (const text of TEXTS) {
      const [found, all] = bothWays(text, [...new Set(indexTerms(text))]);
      expect(found, text).toEqual(all);
      expect(found?.length, text).toBeGreaterThan(5);
    }
  });

  it("S4: finds irregular forms of a word, and none of another", () => {
    const wanted = (query: string) => new WantedTerms(termsOf(readQuestion(query).words));
    const counts = (text: string, query: string) => [
      ...countWanted({ surface: text }, wanted(query)).values(),
    ];
    expect(counts("we went home and he goes", "going")).toEqual([2]);
    expect(counts("the mice", "mouse")).toEqual([1]);
    expect(counts("we want home", "going")).toEqual([]);
  });

  it("S4: any text, any question", () => {
    const word = fc.constantFrom(
      ...TEXTS.flatMap((text) => text.split(/\s+/)),
      ..."a I Ab zz 9 -- _x foo.bar äb bä ß éa \ud800".split(" "),
    );
    const text = fc.array(word, { maxLength: 20 }).map((words) => words.join(" "));
    fc.assert(
      fc.property(text, text, (surface, query) => {
        const [found, all] = bothWays(surface, termsOf(readQuestion(query).words));
        expect(found).toEqual(all);
      }),
      { seed: 4, numRuns: 400 },
    );
  });
});
