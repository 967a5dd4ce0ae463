import { describe, expect, it } from "vitest";
import {
  heldCounts,
  measureText,
  mergeStatistics,
  NO_STATISTICS,
  sumOf,
  wordScores,
  wordWeights,
} from "../../src/text/rank.ts";
import { TextTerms } from "../../src/text/text-terms.ts";

const statistics = {
  recordCount: 10,
  termCountMean: 4,
  documentFrequency: { cat: 2, the: 9, tom: 1 },
};

function scoreOf(surface: string, words: readonly (readonly string[])[], weight = 1): number {
  const asked = words.map((terms) => ({ terms, weight }));
  const measured = measureText(
    new TextTerms({ surface }),
    asked.flatMap(({ terms }) => terms),
  );
  const weights = wordWeights(asked, statistics.recordCount, heldCounts(asked, statistics));
  return sumOf(wordScores(measured, asked, weights, statistics.termCountMean));
}

describe("BM25", () => {
  it("S4: scores by the formula", () => {
    const idf = Math.log(1 + (10 - 2 + 0.5) / (2 + 0.5));
    expect(scoreOf("the cat saw a cat", [["cat"]])).toBeCloseTo(
      (idf * 2 * 2.2) / (2 + 1.2 * (0.25 + 0.75 * (5 / 4))),
      12,
    );
  });

  it("S4: a term that most records hold weighs little and still counts", () => {
    const [more, less] = ["the the the end", "the end of it"].map((text) =>
      scoreOf(text, [["the"]]),
    );
    expect(more).toBeGreaterThan(less as number);
    expect(less).toBeGreaterThan(0);
    expect(less).toBeLessThan(0.5);
  });

  it("S4: terms of one word are counted together, as often as the most frequent of them", () => {
    const together = scoreOf("tom saw a cat", [["cat", "tom"]]);
    expect(together).toBe(scoreOf("cat saw a cat", [["cat"]]));
    expect(together).toBeLessThan(scoreOf("tom saw a cat", [["cat"], ["tom"]]));
  });

  it("S4: a word counts for as much as its weight says", () => {
    expect(scoreOf("a cat", [["cat"]], 0.25)).toBeCloseTo(scoreOf("a cat", [["cat"]]) / 4, 12);
    expect(scoreOf("a cat", [["cat"]], 0)).toBe(0);
  });

  it("S4: a term named like a property of every object is only a term", () => {
    expect(scoreOf("the constructor", [["constructor"]])).toBeGreaterThan(0);
    expect(scoreOf("nothing", [["constructor"]])).toBe(0);
  });
});

describe("a text's terms", () => {
  it("S4: cue and tags count as text", () => {
    for (const record of [
      { surface: "x", cue: "about a cat" },
      { surface: "x", tags: ["cat"] },
    ]) {
      expect(new TextTerms(record).occurrences("cat")).toBe(1);
    }
    expect(new TextTerms({ surface: "x" }).occurrences("cat")).toBe(0);
  });

  it("S4: are whole ones, repeats counted and placed", () => {
    const text = new TextTerms({ surface: "cat cat cats category cat" });
    expect(text.count).toBe(5);
    expect(text.occurrences("cat")).toBe(4);
    expect(text.occurrences("ca")).toBe(0);
  });
});

describe("mergeStatistics", () => {
  const measured = (surface: string, terms: string[]) =>
    measureText(new TextTerms({ surface }), terms);

  it("S5: adds texts that are not in the store yet, as if they were", () => {
    const terms = ["cat", "dog", "the"];
    const texts = ["one cat", "two dogs here"].map((surface) => measured(surface, terms));
    expect(mergeStatistics(statistics, terms, texts)).toEqual({
      recordCount: 12,
      termCountMean: 45 / 12,
      documentFrequency: { cat: 3, dog: 1, the: 9 },
    });
  });

  it("S5: without a store the texts are all there is", () => {
    expect(mergeStatistics(NO_STATISTICS, ["cat"], [measured("a cat", ["cat"])])).toEqual({
      recordCount: 1,
      termCountMean: 2,
      documentFrequency: { cat: 1 },
    });
    expect(mergeStatistics(NO_STATISTICS, ["cat"], [])).toBe(NO_STATISTICS);
  });
});
