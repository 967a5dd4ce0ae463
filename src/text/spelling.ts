/**
 * How far apart two words are: slips of the finger and of spelling.
 *
 * Counts a letter left out, put in or changed, and two neighbours swapped, as one each (the optimal
 * string alignment distance; Damerau, https://doi.org/10.1145/363958.363994, found four slips of five
 * to be one of these). Pure.
 */

/** Shorter words have too many neighbours. */
const WORD_CHARS_MIN = 4;
const TWO_SLIPS_CHARS_MIN = 8;
export const WORD_CHARS_MAX = 40;

/** How many slips a word of this length may have and still be the same word. */
export function slipsMax(word: string): number {
  if (word.length < WORD_CHARS_MIN || word.length > WORD_CHARS_MAX) return 0;
  return word.length < TWO_SLIPS_CHARS_MIN ? 1 : 2;
}

const LETTERS = /^[a-z\u00df-\u024f\u0370-\u052f]+$/;

/** Whether a term is a word in letters (Latin, Greek, Cyrillic) that people misspell. */
export function mayBeMisspelt(term: string): boolean {
  return slipsMax(term) > 0 && LETTERS.test(term);
}

/** @returns the number of slips, or max + 1 when there are more */
export function slipsBetween(one: string, other: string, max: number): number {
  if (Math.abs(one.length - other.length) > max) return max + 1;
  let before: number[] = [];
  let previous = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const current = [i];
    let least = i;
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      let slips = Math.min(
        (previous[j] as number) + 1,
        (current[j - 1] as number) + 1,
        (previous[j - 1] as number) + (same ? 0 : 1),
      );
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (swapped) slips = Math.min(slips, (before[j - 2] as number) + 1);
      current.push(slips);
      least = Math.min(least, slips);
    }
    if (least > max) return max + 1;
    before = previous;
    previous = current;
  }
  return previous[other.length] as number;
}
