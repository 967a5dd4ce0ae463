// What is measured, as pure functions over ranked lists of turn keys.
// recall@k is the share of a question's evidence found among the first k; hit@k whether any of it
// is; MRR takes the place of the first. A list over questions is their mean.

export const DEPTHS = [1, 5, 10, 20];

/** @param evidence keys, each once; @param ranked keys, best first */
export function recallAt(k, evidence, ranked) {
  const first = new Set(ranked.slice(0, k));
  return evidence.filter((key) => first.has(key)).length / evidence.length;
}

export function hitAt(k, evidence, ranked) {
  return ranked.slice(0, k).some((key) => evidence.includes(key)) ? 1 : 0;
}

/** One over the place of the first evidence; 0 when none was found. */
export function reciprocalRank(evidence, ranked) {
  const place = ranked.findIndex((key) => evidence.includes(key));
  return place === -1 ? 0 : 1 / (place + 1);
}

/** Names of the figures of a question, in the order in which they are shown. */
export const FIGURES = [
  ...DEPTHS.map((k) => `recall@${k}`),
  ...DEPTHS.map((k) => `hit@${k}`),
  "MRR",
];

/** @returns an object with every one of FIGURES */
export function figuresOf(evidence, ranked) {
  return Object.fromEntries([
    ...DEPTHS.map((k) => [`recall@${k}`, recallAt(k, evidence, ranked)]),
    ...DEPTHS.map((k) => [`hit@${k}`, hitAt(k, evidence, ranked)]),
    ["MRR", reciprocalRank(evidence, ranked)],
  ]);
}

export function mean(values) {
  return values.length === 0 ? Number.NaN : values.reduce((sum, x) => sum + x, 0) / values.length;
}

/** @param each figures of the questions; @returns their means */
export function meanFigures(each) {
  return Object.fromEntries(FIGURES.map((name) => [name, mean(each.map((one) => one[name]))]));
}

/**
 * Paired bootstrap of the mean difference between two measurements of the same questions: questions
 * are drawn with replacement, each with both of its figures.
 * @param ours, theirs one figure a question, in the same order
 * @returns {{difference: number, low: number, high: number}} with the middle 95 % of the draws; the
 *   same seed draws the same
 */
export function pairedBootstrap(ours, theirs, { seed = 1, draws = 2_000 } = {}) {
  if (ours.length !== theirs.length) throw new Error("both must have measured the same questions");
  const differences = ours.map((value, index) => value - theirs[index]);
  const random = randomOf(seed);
  const means = Array.from({ length: draws }, () =>
    mean(differences.map(() => differences[Math.floor(random() * differences.length)])),
  ).sort((a, b) => a - b);
  return {
    difference: mean(differences),
    low: means[Math.floor(0.025 * (draws - 1))],
    high: means[Math.ceil(0.975 * (draws - 1))],
  };
}

/** A small generator of numbers in [0, 1) (mulberry32): the same for the same seed, everywhere. */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
