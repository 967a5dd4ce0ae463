// Medians, spreads and ratios of samples. Pure.

/** The p-th quantile (0 to 1) of the samples, between the nearest two. */
export function quantile(samples, p) {
  const sorted = Float64Array.from(samples).sort();
  if (sorted.length === 0) return Number.NaN;
  const at = (sorted.length - 1) * p;
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

export const median = (samples) => quantile(samples, 0.5);

/** What a row of the report says of a series. */
export function summarise(samples) {
  return {
    samples: samples.length,
    median: median(samples),
    p25: quantile(samples, 0.25),
    p75: quantile(samples, 0.75),
    p95: quantile(samples, 0.95),
  };
}

/**
 * Ratio of two series that were measured in the same rounds: the median of the rounds' own ratios,
 * so that a machine that slows down over the run slows both sides of each ratio.
 * @param ours one array of samples a round
 * @param bare the same, of what it is compared with
 */
export function ratioOfRounds(ours, bare) {
  const ratios = ours.map((samples, round) => median(samples) / median(bare[round]));
  return { median: median(ratios), p25: quantile(ratios, 0.25), p75: quantile(ratios, 0.75) };
}

/**
 * Runs the contenders one after another, round after round, each round beginning with another one,
 * so that none always runs first or always behind the same other.
 * @param contenders name → async (round) => samples of that round
 * @returns name → one array of samples a round
 */
export async function interleave(contenders, rounds) {
  const names = Object.keys(contenders);
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let step = 0; step < names.length; step++) {
      const name = names[(round + step) % names.length];
      results[name].push(await contenders[name](round));
    }
  }
  return results;
}
