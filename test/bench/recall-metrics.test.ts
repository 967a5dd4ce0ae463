/** The figures of the recall bench, on lists small enough to count by hand. */
import { expect, it } from "vitest";
import {
  FIGURES,
  figuresOf,
  hitAt,
  mean,
  meanFigures,
  pairedBootstrap,
  recallAt,
  reciprocalRank,
} from "../../bench/recall/metrics.mjs";

const RANKED = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];

it("recall is the share of the evidence among the first k", () => {
  expect(recallAt(1, ["a"], RANKED)).toBe(1);
  expect(recallAt(1, ["b"], RANKED)).toBe(0);
  expect(recallAt(5, ["b", "k"], RANKED)).toBe(0.5);
  expect(recallAt(20, ["b", "k"], RANKED)).toBe(1);
  expect(recallAt(10, ["nowhere"], RANKED)).toBe(0);
  expect(recallAt(10, ["a"], [])).toBe(0);
});

it("the k-th result counts and the one after it does not", () => {
  expect(recallAt(10, ["j"], RANKED)).toBe(1);
  expect(recallAt(10, ["k"], RANKED)).toBe(0);
});

it("a hit needs one turn of the evidence", () => {
  expect(hitAt(1, ["b", "c"], RANKED)).toBe(0);
  expect(hitAt(5, ["c", "nowhere"], RANKED)).toBe(1);
  expect(hitAt(5, ["nowhere"], RANKED)).toBe(0);
});

it("the reciprocal rank takes the first evidence", () => {
  expect(reciprocalRank(["d", "b"], RANKED)).toBe(1 / 2);
  expect(reciprocalRank(["a"], RANKED)).toBe(1);
  expect(reciprocalRank(["nowhere"], RANKED)).toBe(0);
});

it("figures have all their names, and their mean is taken name by name", () => {
  const first = figuresOf(["a"], RANKED);
  const second = figuresOf(["nowhere"], RANKED);
  expect(Object.keys(first)).toEqual(FIGURES);
  const means = meanFigures([first, second]);
  expect(means["recall@1"]).toBe(0.5);
  expect(means["hit@20"]).toBe(0.5);
  expect(means.MRR).toBe(0.5);
});

it("the mean of nothing is no number", () => {
  expect(mean([])).toBeNaN();
  expect(mean([1, 2, 6])).toBe(3);
});

it("the bootstrap repeats itself with its seed and moves with another", () => {
  const ours = Array.from({ length: 60 }, (_, index) => (index % 3 === 0 ? 0 : 1));
  const theirs = Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? 0 : 1));
  const once = pairedBootstrap(ours, theirs, { seed: 7 });
  expect(pairedBootstrap(ours, theirs, { seed: 7 })).toEqual(once);
  expect(pairedBootstrap(ours, theirs, { seed: 8 })).not.toEqual(once);
  expect(once.difference).toBeCloseTo(40 / 60 - 30 / 60, 12);
  expect(once.low).toBeLessThan(once.difference);
  expect(once.high).toBeGreaterThan(once.difference);
});

it("the bootstrap is paired: a constant difference has no spread", () => {
  const theirs = Array.from({ length: 40 }, (_, index) => (index % 4) / 4);
  const ours = theirs.map((value) => value + 0.25);
  const { difference, low, high } = pairedBootstrap(ours, theirs);
  expect([difference, low, high]).toEqual([0.25, 0.25, 0.25]);
});

it("the bootstrap's interval is about as wide as theory has it", () => {
  const ours = Array.from({ length: 400 }, (_, index) => index % 2);
  const theirs = ours.map(() => 0);
  const { low, high } = pairedBootstrap(ours, theirs, { seed: 3 });
  const halfWidth = 1.96 * Math.sqrt(0.25 / 400);
  expect(low).toBeGreaterThan(0.5 - 1.2 * halfWidth);
  expect(low).toBeLessThan(0.5 - 0.8 * halfWidth);
  expect(high).toBeGreaterThan(0.5 + 0.8 * halfWidth);
  expect(high).toBeLessThan(0.5 + 1.2 * halfWidth);
});

it("the bootstrap refuses lists that do not belong together", () => {
  expect(() => pairedBootstrap([1], [1, 0])).toThrow(/same questions/);
});
