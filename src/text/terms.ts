/**
 * Texts as index terms: the one pipeline for every store and for records that are not in a store
 * yet. scan.ts says what a term is, fold.ts how spellings meet, stems.ts how forms of a word do;
 * question.ts is its other half.
 */
import { scanText } from "./scan.ts";

/**
 * Raised whenever the same text may give other terms than before. A store keeps the version that
 * filled its index. 2: words are stemmed.
 */
export const TEXT_PIPELINE_VERSION = 2;

/** All terms of a text, in order, repeats kept: what is indexed and what is counted. */
export function indexTerms(text: string): string[] {
  return scanText(text, "nothing").terms;
}

/** The same, with the plain words as they were written, each once: what a misspelt one may mean. */
export function indexTermsAndWords(text: string): {
  readonly terms: readonly string[];
  readonly words: ReadonlySet<string>;
} {
  const { terms, words = new Set<string>() } = scanText(text, "words");
  return { terms, words };
}
