import { describe, expect, it } from "vitest";
import {
  measureText,
  mergeStatistics,
  NO_STATISTICS,
  rankCandidates,
  SUPERSEDED_FACTOR,
} from "../../src/text/rank.ts";

const statistics = {
  recordCount: 10,
  termCountMean: 4,
  documentFrequency: { cat: 2, the: 9 },
};

function candidate(ulid: string, surface: string, supersededBy?: string) {
  return { ulid, record: { surface }, supersededBy };
}

describe("rankCandidates", () => {
  it("S4: scores by the formula of BM25", () => {
    const [ranked] = rankCandidates({
      ...statistics,
      terms: ["cat"],
      candidates: [candidate("A", "the cat saw a cat")],
    });
    const idf = Math.log(1 + (10 - 2 + 0.5) / (2 + 0.5));
    expect(ranked?.score).toBeCloseTo((idf * 2 * 2.2) / (2 + 1.2 * (0.25 + 0.75 * (5 / 4))), 12);
  });

  it("S4: a term that most records hold weighs little and still counts", () => {
    const ranked = rankCandidates({
      ...statistics,
      terms: ["the"],
      candidates: [candidate("A", "the end of it"), candidate("B", "the the the end")],
    });
    expect(ranked.map(({ candidate: { ulid } }) => ulid)).toEqual(["B", "A"]);
    expect(ranked[1]?.score).toBeGreaterThan(0);
    expect(ranked[0]?.score).toBeLessThan(0.5);
  });

  it("S4: equal scores come newest first, in whatever order they were given", () => {
    const candidates = ["C", "A", "B"].map((ulid) => candidate(ulid, "a cat here now"));
    const ranked = rankCandidates({ ...statistics, terms: ["cat"], candidates });
    expect(ranked.map(({ candidate: { ulid } }) => ulid)).toEqual(["C", "B", "A"]);
  });

  it("S4: a superseded record keeps a part of its score and so ranks lower", () => {
    const ranked = rankCandidates({
      ...statistics,
      terms: ["cat"],
      candidates: [candidate("B", "one cat sits here", "C"), candidate("A", "one cat sits here")],
    });
    expect(ranked.map(({ candidate: { ulid } }) => ulid)).toEqual(["A", "B"]);
    expect(ranked[1]?.score).toBe((ranked[0]?.score ?? 0) * SUPERSEDED_FACTOR);
  });

  it("S4: cue and tags count as text", () => {
    const ranked = rankCandidates({
      ...statistics,
      terms: ["cat"],
      candidates: [
        { ulid: "A", record: { surface: "x", cue: "about a cat" } },
        { ulid: "B", record: { surface: "x", tags: ["cat"] } },
        { ulid: "C", record: { surface: "x" } },
      ],
    });
    expect(ranked.map(({ score }) => score > 0)).toEqual([true, true, false]);
  });

  it("S4: a term named like a property of every object is only a term", () => {
    const [ranked] = rankCandidates({
      ...statistics,
      terms: ["constructor"],
      candidates: [candidate("A", "the constructor")],
    });
    expect(ranked?.score).toBeGreaterThan(0);
  });
});

describe("mergeStatistics", () => {
  it("S5: adds texts that are not in the store yet, as if they were", () => {
    const texts = ["one cat", "two dogs here"].map((surface) => measureText({ surface }));
    expect(mergeStatistics(statistics, ["cat", "dogs", "the"], texts)).toEqual({
      recordCount: 12,
      termCountMean: 45 / 12,
      documentFrequency: { cat: 3, dogs: 1, the: 9 },
    });
  });

  it("S5: without a store the texts are all there is", () => {
    const texts = [measureText({ surface: "a cat" })];
    expect(mergeStatistics(NO_STATISTICS, ["cat"], texts)).toEqual({
      recordCount: 1,
      termCountMean: 2,
      documentFrequency: { cat: 1 },
    });
    expect(mergeStatistics(NO_STATISTICS, ["cat"], [])).toBe(NO_STATISTICS);
  });
});
