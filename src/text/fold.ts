/**
 * The one normaliser: brings a text, and then each word of it, into the form in which the index
 * compares them. Only ever applied to what is looked up, never to what is stored or shown.
 *
 * Guarantees: texts that differ in Unicode normal form, compatibility form, case or accents fold
 * alike. Vowel signs of scripts in which they tell words apart (Devanagari, Thai) and the voicing
 * marks of kana are kept. Whatever changes here raises TEXT_PIPELINE_VERSION in
 * terms.ts.
 */

// Soft hyphens, joiners and variation selectors are invisible and must not part a word.
const IGNORABLE = /\p{Default_Ignorable_Code_Point}+/gu;
// Combining diacritics of the alphabets, Hebrew points, Arabic vowel marks and the tatweel.
const ACCENTS =
  /(?:[\u0300-\u036f]|[\u0483-\u0487]|[\u0591-\u05c7]|\u0640|[\u064b-\u065f]|\u0670|[\u1ab0-\u1aff]|[\u1dc0-\u1dff]|[\u20d0-\u20ff]|[\ufe20-\ufe2f])+/g;
// Letters that Unicode does not decompose although readers write them without the stroke.
const STROKED = /[\u03c2\u00e6\u00f0\u00f8\u00fe\u0111\u0127\u0131\u0142\u0153\u0167]/g;
const UNSTROKED: Readonly<Record<string, string>> = {
  ς: "σ",
  æ: "ae",
  ð: "d",
  ø: "o",
  þ: "th",
  đ: "d",
  ħ: "h",
  ı: "i",
  ł: "l",
  œ: "oe",
  ŧ: "t",
};
const NOT_ASCII = /[^\0-\x7f]/;

/** True if every character is below U+0080. */
export function isAscii(text: string): boolean {
  return !NOT_ASCII.test(text);
}

/** Compatibility-composed and without invisible characters; case and accents stay for now. */
export function normaliseText(text: string): string {
  return text.normalize("NFKC").replace(IGNORABLE, "");
}

/** Folding a word takes microseconds, and texts repeat their words. */
const FOLDED_COUNT_MAX = 8_192;
const FOLDED_CHARS_MAX = 32;
const folded = new Map<string, string>();

/** A word of a normalised text, case and accents folded; may be empty. */
export function foldWord(word: string): string {
  if (isAscii(word)) return word.toLowerCase();
  if (word.length > FOLDED_CHARS_MAX) return foldLetters(word);
  let form = folded.get(word);
  if (form === undefined) {
    form = foldLetters(word);
    if (folded.size >= FOLDED_COUNT_MAX) folded.clear();
    folded.set(word, form);
  }
  return form;
}

function foldLetters(word: string): string {
  // By way of upper case, so that ß and ss, and every form of sigma, meet; small letters first,
  // because the capital ẞ has no other upper case.
  const plain = word
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .normalize("NFD")
    .replace(ACCENTS, "");
  return plain.replace(STROKED, (letter) => UNSTROKED[letter] as string).normalize("NFC");
}
