// Made-up prose of a given size, the same in every run: words follow from a fixed seed, with
// frequencies as in natural text (few common words, many rare ones), so that an index has work to do.
const SYLLABLES = "ka lo mi ren tas vel dor an shi pu gra eno ul fi sta bri que zan hol wey".split(
  " ",
);

function generator(seed) {
  let state = seed >>> 0;
  return () => {
    // mulberry32: small, and good enough to pick words
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function makeWords(count) {
  const random = generator(7);
  return Array.from({ length: count }, () => {
    const syllables = 1 + Math.floor(random() * 4);
    return Array.from(
      { length: syllables },
      () => SYLLABLES[Math.floor(random() * SYLLABLES.length)],
    ).join("");
  });
}

const WORDS = makeWords(20_000);

/** @returns a text of about `chars` characters, another one for each seed */
export function sampleText(seed, chars = 1_000) {
  const random = generator(seed + 1);
  let text = "";
  while (text.length < chars) {
    // The square of the square favours the head of the list: roughly a power law.
    text += `${WORDS[Math.floor(random() ** 4 * WORDS.length)]} `;
  }
  return text.slice(0, chars);
}
