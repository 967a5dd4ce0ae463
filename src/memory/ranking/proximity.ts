/**
 * Proximity: words that follow one another in the question and stand close together in the text.
 *
 * Guarantees: bounded work a text: the first PLACES_MAX places of a word.
 */
import type { Asked, Candidate, Scored } from "./scored.ts";

const GAIN = 0.4;
/** Characters between the beginnings of two words that still count as close. */
const NEAR_CHARS = 40;
const PLACES_MAX = 32;

export function proximityFactor({ words, weights }: Asked, hit: Scored): number {
  const telling = [...words.keys()].filter((at) => !words[at]?.isStop);
  let all = 0;
  let near = 0;
  for (let n = 1; n < telling.length; n++) {
    const [one, other] = [telling[n - 1] as number, telling[n] as number];
    const weight = Math.min(weights[one] as number, weights[other] as number);
    all += weight;
    if ((hit.words[one] as number) === 0 || (hit.words[other] as number) === 0) continue;
    const distance = distanceOf(hit.candidate, words[one]?.terms, words[other]?.terms);
    if (distance <= NEAR_CHARS) near += weight * (1 - distance / (2 * NEAR_CHARS));
  }
  return all === 0 ? 1 : 1 + GAIN * (near / all);
}

function distanceOf(
  candidate: Candidate,
  ones: readonly string[] = [],
  others: readonly string[] = [],
): number {
  const held = candidate.places();
  const places = (terms: readonly string[]) =>
    terms.flatMap((term) => held.get(term)?.slice(0, PLACES_MAX) ?? []).sort((a, b) => a - b);
  const [left, right] = [places(ones), places(others)];
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const [a, b] = [left[i] as number, right[j] as number];
    best = Math.min(best, Math.abs(a - b));
    if (a < b) i++;
    else j++;
  }
  return best;
}
