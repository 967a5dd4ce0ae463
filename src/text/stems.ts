/**
 * A word's forms brought together: "walked", "walking" and "walks" are one term.
 *
 * Guarantees: the same word in the same language always gives the same terms; accents never matter,
 * because a word that has some also gives the term of the word without; a stop word, a word with a
 * digit and one of one or two letters are terms as they are. Remembers what it worked out, within a
 * bound, since a stem takes microseconds and texts repeat their words.
 */
import { ENGLISH_BASE_FORMS } from "./english-words.ts";
import { foldWord, isAscii } from "./fold.ts";
import { isStopWord, type Language, scriptLanguage, stemIn } from "./languages.ts";

const REMEMBERED_COUNT_MAX = 65_536;
const STEMMED_CHARS_MIN = 3;
const STEMMED_CHARS_MAX = 40;
const NO_WORD = /[^\p{L}\p{M}]/u;

const NONE: readonly string[] = [];

/** The terms of a word of a normalised text, one or two, or none if nothing is left of it. */
export type Stemmer = (word: string) => readonly string[];

const stemmers = new Map<Language, Stemmer>();

/** @returns the same stemmer for the same language, with what it remembers */
export function stemmerOf(language: Language): Stemmer {
  let stemmer = stemmers.get(language);
  if (stemmer === undefined) {
    stemmer = makeStemmer(language);
    stemmers.set(language, stemmer);
  }
  return stemmer;
}

/** The same, for a word at a time. */
export function stemTerms(word: string, language: Language): readonly string[] {
  return stemmerOf(language)(word);
}

function makeStemmer(language: Language): Stemmer {
  const remembered = new Map<string, readonly string[]>();
  return (word) => {
    let terms = remembered.get(word);
    if (terms !== undefined) return terms;
    if (word.length > STEMMED_CHARS_MAX) return asIs(foldWord(word));
    terms = findTerms(word, language);
    if (remembered.size >= REMEMBERED_COUNT_MAX) remembered.clear();
    remembered.set(word, terms);
    return terms;
  };
}

function findTerms(word: string, textLanguage: Language): readonly string[] {
  const folded = foldWord(word);
  const language = scriptLanguage(word) ?? textLanguage;
  if (folded.length < STEMMED_CHARS_MIN || NO_WORD.test(folded)) return asIs(folded);
  if (isStopWord(folded, [language])) return asIs(folded);
  const stem = stemOf(folded, language);
  if (language === "en" || isAscii(word)) return [stem];
  // The rules of many other languages know a word by its accents: "acción" and "acciones" meet only so.
  const exact = foldWord(stemOf(word.toLowerCase().replaceAll("ё", "е"), language));
  return exact === "" || exact === stem ? [stem] : [stem, exact];
}

function stemOf(word: string, language: Language): string {
  const base = language === "en" ? (ENGLISH_BASE_FORMS.get(word) ?? word) : word;
  const stem = stemIn(language, base);
  if (stem.length >= STEMMED_CHARS_MIN) return stem;
  // What is left of "one" and "use" would be taken for "on" and "us"; of "ids" it is right.
  return base === `${stem}s` ? stem : base;
}

function asIs(folded: string): readonly string[] {
  return folded === "" ? NONE : [folded];
}
