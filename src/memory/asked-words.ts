/**
 * A question's words as they are scored: weighed, and with other spellings where nobody writes them
 * as they were asked. Pure.
 */

import { type Question, type QuestionWord, tellingWords, termsOf } from "../text/question.ts";
import { frequencyOf, type TermStatistics } from "../text/rank.ts";
import { slipsMax } from "../text/spelling.ts";
import { stemTerms } from "../text/stems.ts";
import type { AskedWord } from "./ranking/scored.ts";
import { isOn, type LiftSwitches } from "./search-lifts.ts";

/** What a question or stop word keeps of its weight. */
const STOP_WEIGHT = 0.5;
/** Particles of languages without spaces stand in pairs that mean nothing by themselves. */
const UNSPACED_STOP_WEIGHT = 0.2;
/** What a single character of a longer run keeps. */
const HINT_WEIGHT = 0.4;
/** What a word keeps that was taken for another. */
const SPELLED_WEIGHT = 0.8;
export const SPELLED_COUNT_MAX = 4;

/** Word of the question → words that it may have been meant for. */
export type Spellings = ReadonlyMap<string, readonly string[]>;

export function askedWords(
  { words, languages }: Question,
  lifts: LiftSwitches | undefined,
  spellings: Spellings,
): AskedWord[] {
  const weighed = isOn(lifts, "stop_words") && tellingWords(words).length < words.length;
  const hintWeight = isOn(lifts, "characters") ? HINT_WEIGHT : 0;
  return words.map((word) => {
    const share = word.isHint ? hintWeight : 1;
    const weight = share * (weighed && word.isStop ? stopWeight(word) : 1);
    const spelledAs = spellings.get(word.word) ?? [];
    if (spelledAs.length === 0) return { ...word, weight };
    const others = spelledAs.flatMap((other) =>
      languages.flatMap((language) => stemTerms(other, language)),
    );
    const terms = [...new Set([...word.terms, ...others])];
    return { ...word, terms, weight: weight * SPELLED_WEIGHT, spelledAs };
  });
}

/** What is counted, and finds records. */
export function soughtTerms(words: readonly AskedWord[]): string[] {
  return termsOf(words.filter(({ weight }) => weight > 0));
}

/**
 * Whether any record holds a word that says what is looked for: else stop words would find anything.
 * @param held one count a word, as it was at the first page: an answer's pages must agree
 */
export function tellsSomething(words: readonly AskedWord[], held: readonly number[]): boolean {
  const telling = new Set(tellingWords(words.filter(({ weight }) => weight > 0)));
  return words.some((word, at) => telling.has(word) && (held[at] ?? 0) > 0);
}

/** Words that no record holds and that may be misspelt. */
export function unknownWords(
  words: readonly QuestionWord[],
  { documentFrequency }: TermStatistics,
): string[] {
  return words
    .filter(({ word, terms, isStop, isPlain }) => {
      if (isStop || !isPlain || slipsMax(word) === 0) return false;
      return terms.every((term) => frequencyOf(documentFrequency, term) === 0);
    })
    .slice(0, SPELLED_COUNT_MAX)
    .map(({ word }) => word);
}

function stopWeight({ isPlain }: QuestionWord): number {
  return isPlain ? STOP_WEIGHT : UNSPACED_STOP_WEIGHT;
}
