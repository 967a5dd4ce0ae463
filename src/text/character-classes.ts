/**
 * What each UTF-16 code unit means to the term scanner.
 *
 * Guarantees: an answer for any unit of any string, without throwing. ASCII is one table look-up;
 * the rest of the first plane is classified once and remembered (64 KiB a thread); a surrogate pair
 * has the class of its character at both units, and a lone surrogate separates.
 */

export const SEPARATOR = 0;
/** A letter that is not upper case, or a mark that belongs to a letter. */
export const LOWER = 1;
export const DIGIT = 2;
export const UPPER = 3;
/** Punctuation that holds an identifier, path, version, address or URL together. */
export const JOINER = 4;
/** Han, Hiragana, Katakana, Hangul: written without spaces, or with particles glued on. */
export const CJK = 5;
export const EMOJI = 6;
/** Half of a flag: two regional indicators are one flag. */
export const FLAG_HALF = 7;

/** Joiners that part a compound into segments, which are found by themselves as well. */
export const STRONG_JOINERS = "/\\:@?&=#";
export const WEAK_JOINERS = "_-.%+~";
/** Every punctuation character that a term may hold; an index must treat them as letters. */
export const TERM_PUNCTUATION = STRONG_JOINERS + WEAK_JOINERS;

/** Classes of U+0000–U+007F. */
export const ASCII_CLASS = (() => {
  const classes = new Uint8Array(128);
  classes.fill(LOWER, 0x61, 0x7b);
  classes.fill(UPPER, 0x41, 0x5b);
  classes.fill(DIGIT, 0x30, 0x3a);
  for (const joiner of TERM_PUNCTUATION) classes[joiner.charCodeAt(0)] = JOINER;
  return classes;
})();

const UNCLASSIFIED = 255;
const planeZero = new Uint8Array(0x10000).fill(UNCLASSIFIED);

// The long vowel mark belongs to no script of its own but is part of Japanese words.
const CJK_CHARACTER =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u30fc]$/u;
const FLAG_CHARACTER = /^\p{Regional_Indicator}$/u;
const EMOJI_CHARACTER = /^\p{Extended_Pictographic}$/u;
const UPPER_CHARACTER = /^[\p{Lu}\p{Lt}]$/u;
const LETTER_OR_MARK = /^[\p{L}\p{M}]$/u;
const NUMBER = /^\p{N}$/u;

function classify(character: string): number {
  if (CJK_CHARACTER.test(character)) return CJK;
  if (UPPER_CHARACTER.test(character)) return UPPER;
  if (LETTER_OR_MARK.test(character)) return LOWER;
  if (NUMBER.test(character)) return DIGIT;
  if (FLAG_CHARACTER.test(character)) return FLAG_HALF;
  if (EMOJI_CHARACTER.test(character)) return EMOJI;
  return SEPARATOR;
}

/** The class of the character that the unit at `at` belongs to. */
export function classAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (unit < 128) return ASCII_CLASS[unit] as number;
  if (unit >= 0xd800 && unit <= 0xdfff) return surrogateClass(text, unit >= 0xdc00 ? at - 1 : at);
  let known = planeZero[unit] as number;
  if (known === UNCLASSIFIED) {
    known = classify(String.fromCharCode(unit));
    planeZero[unit] = known;
  }
  return known;
}

function surrogateClass(text: string, at: number): number {
  const character = at < 0 ? 0 : (text.codePointAt(at) as number);
  if (character <= 0xffff) return SEPARATOR;
  const known = classify(String.fromCodePoint(character));
  // A capital could part a word, and here between the two units of one character.
  return known === UPPER ? LOWER : known;
}
