/**
 * The languages whose words are brought to a common stem, and which one a text is written in.
 *
 * Guarantees: a text always has the same language, so that what was indexed is found again; a text
 * that tells nothing is English. A language is guessed by its commonest words, each counting less the
 * more languages share it. Does not guarantee that the guess is right: a wrong one costs that other
 * forms of a word are not found, never the form that was written. Scripts other than Latin need no
 * guess, see {@link scriptLanguage}.
 */
import { stemmer as arabic } from "@orama/stemmers/arabic";
import { stemmer as danish } from "@orama/stemmers/danish";
import { stemmer as dutch } from "@orama/stemmers/dutch";
import { stemmer as english } from "@orama/stemmers/english";
import { stemmer as finnish } from "@orama/stemmers/finnish";
import { stemmer as french } from "@orama/stemmers/french";
import { stemmer as german } from "@orama/stemmers/german";
import { stemmer as greek } from "@orama/stemmers/greek";
import { stemmer as hungarian } from "@orama/stemmers/hungarian";
import { stemmer as hindi } from "@orama/stemmers/indian";
import { stemmer as italian } from "@orama/stemmers/italian";
import { stemmer as norwegian } from "@orama/stemmers/norwegian";
import { stemmer as portuguese } from "@orama/stemmers/portuguese";
import { stemmer as romanian } from "@orama/stemmers/romanian";
import { stemmer as russian } from "@orama/stemmers/russian";
import { stemmer as spanish } from "@orama/stemmers/spanish";
import { stemmer as swedish } from "@orama/stemmers/swedish";
import { stemmer as turkish } from "@orama/stemmers/turkish";
import {
  dan,
  deu,
  ell,
  eng,
  fin,
  fra,
  hun,
  ita,
  nld,
  nob,
  por,
  ron,
  rus,
  spa,
  swe,
  tur,
} from "stopword";
import { ENGLISH_MORE_STOP_WORDS } from "./english-words.ts";
import { foldWord } from "./fold.ts";

interface LanguageParts {
  /** A word in small letters → its stem. */
  readonly stem: (word: string) => string;
  /** Its commonest words, which carry structure rather than content. */
  readonly stopWords: readonly string[];
}

const NO_WORDS: readonly string[] = [];

/** Those written in Latin letters come first, in the order in which a tie is decided. */
const LANGUAGE_PARTS = {
  en: { stem: english, stopWords: [...eng, ...ENGLISH_MORE_STOP_WORDS] },
  de: { stem: german, stopWords: deu },
  fr: { stem: french, stopWords: fra },
  es: { stem: spanish, stopWords: spa },
  it: { stem: italian, stopWords: ita },
  pt: { stem: portuguese, stopWords: por },
  nl: { stem: dutch, stopWords: nld },
  sv: { stem: swedish, stopWords: swe },
  da: { stem: danish, stopWords: dan },
  nb: { stem: norwegian, stopWords: nob },
  fi: { stem: finnish, stopWords: fin },
  ro: { stem: romanian, stopWords: ron },
  hu: { stem: hungarian, stopWords: hun },
  tr: { stem: turkish, stopWords: tur },
  ru: { stem: russian, stopWords: rus },
  el: { stem: greek, stopWords: ell },
  ar: { stem: arabic, stopWords: NO_WORDS },
  hi: { stem: hindi, stopWords: NO_WORDS },
} as const satisfies Record<string, LanguageParts>;

export type Language = keyof typeof LANGUAGE_PARTS;

const LANGUAGES = Object.keys(LANGUAGE_PARTS) as Language[];

/** Where a question does not tell its language, its words may be of any of these. */
export const WIDESPREAD: readonly Language[] = ["en", "de", "fr", "es", "it", "pt", "nl"];

/** What is looked at to guess a language; more does not make the guess better. */
const GUESS_CHARS_MAX = 240;
const STOP_WORD_CHARS_MAX = 12;
const CLEAR_EVIDENCE = 3;
/** Another language must be this much more likely than English, and by more than one word. */
const ENGLISH_LEAD = 1.2;
const EVIDENCE_MIN = 1;

/** Folded stop word → the languages that have it, as indexes into LANGUAGES. */
const stopLanguages = new Map<string, number[]>();
for (const [index, language] of LANGUAGES.entries()) {
  for (const word of LANGUAGE_PARTS[language].stopWords) {
    const folded = foldWord(word.normalize("NFKC"));
    const known = stopLanguages.get(folded);
    if (known === undefined) stopLanguages.set(folded, [index]);
    else if (known.at(-1) !== index) known.push(index);
  }
}

export function stemIn(language: Language, word: string): string {
  return LANGUAGE_PARTS[language].stem(word);
}

/** @param folded see fold.ts */
export function isStopWord(folded: string, languages: readonly Language[]): boolean {
  const known = stopLanguages.get(folded);
  if (known === undefined) return false;
  return known.some((index) => languages.includes(LANGUAGES[index] as Language));
}

/** The language of a word in a script that tells it; undefined for Latin letters and all others. */
export function scriptLanguage(word: string): Language | undefined {
  const unit = word.charCodeAt(0);
  if (unit < 0x370) return undefined;
  if (unit < 0x400) return "el";
  if (unit < 0x530) return "ru";
  if (unit >= 0x600 && unit < 0x700) return "ar";
  return unit >= 0x900 && unit < 0x980 ? "hi" : undefined;
}

export interface LanguageGuess {
  readonly language: Language;
  /** Stop words that spoke for it, those of several languages counted in part. */
  readonly evidence: number;
}

const WORD = /\p{L}+/gu;

/** @param text in any form; `isAscii` saves looking */
export function guessLanguage(text: string, isAscii: boolean): LanguageGuess {
  const head = text.slice(0, GUESS_CHARS_MAX).toLowerCase();
  const scores = new Float64Array(LANGUAGES.length);
  const words = new Set<string>();
  if (isAscii) scoreAscii(head, words, scores);
  else for (const [word] of head.matchAll(WORD)) scoreWord(foldWord(word), words, scores);
  let best = 0;
  let needed = (scores[0] as number) * ENGLISH_LEAD + EVIDENCE_MIN;
  for (let index = 1; index < scores.length; index++) {
    const score = scores[index] as number;
    if (score <= needed) continue;
    best = index;
    needed = score;
  }
  return { language: LANGUAGES[best] as Language, evidence: scores[best] as number };
}

/** The same by hand: every text goes through here, and a regular expression takes five times as long. */
function scoreAscii(text: string, words: Set<string>, scores: Float64Array): void {
  let start = -1;
  for (let at = 0; at <= text.length; at++) {
    const unit = text.charCodeAt(at); // NaN behind the end
    if (unit >= 97 && unit <= 122) {
      if (start === -1) start = at;
    } else if (start !== -1) {
      const tells =
        at - start <= STOP_WORD_CHARS_MAX && scoreWord(text.slice(start, at), words, scores);
      if (tells && isClearlyEnglish(scores)) return;
      start = -1;
    }
  }
}

/**
 * @param words that have counted: each does once
 * @returns whether it told something
 */
function scoreWord(word: string, words: Set<string>, scores: Float64Array): boolean {
  const known = stopLanguages.get(word);
  if (known === undefined || words.has(word)) return false;
  words.add(word);
  for (const index of known) scores[index] = (scores[index] as number) + 1 / known.length;
  return true;
}

/** So far ahead that the rest of the head will hardly turn it: most texts end here. */
function isClearlyEnglish(scores: Float64Array): boolean {
  const english = scores[0] as number;
  if (english < CLEAR_EVIDENCE) return false;
  for (let index = 1; index < scores.length; index++) {
    if ((scores[index] as number) * 2 > english) return false;
  }
  return true;
}
