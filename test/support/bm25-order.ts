/** The order that the shared scorer gives with all its lifts off: BM25 alone. */
import type { CandidateSet } from "../../src/store/memory-store.ts";
import { readQuestion, termsOf } from "../../src/text/question.ts";
import { heldCounts, measureText, sumOf, wordScores, wordWeights } from "../../src/text/rank.ts";
import { TextTerms } from "../../src/text/text-terms.ts";

export function plainWords(query: string) {
  return readQuestion(query)
    .words.filter(({ isHint }) => !isHint)
    .map(({ terms }) => ({ terms, weight: 1 }));
}

/** What a store is asked for a question. */
export function plainTerms(query: string): string[] {
  return termsOf(readQuestion(query).words.filter(({ isHint }) => !isHint));
}

/** All candidates with their scores, best first, equal ones newest first. */
export function bm25Order(set: CandidateSet, query: string): { ulid: string; score: number }[] {
  const words = plainWords(query);
  const terms = plainTerms(query);
  const weights = wordWeights(words, set.recordCount, heldCounts(words, set));
  return set.candidates
    .map(({ ulid, record, supersededBy }) => {
      const measured = measureText(new TextTerms(record), terms);
      const score = sumOf(wordScores(measured, words, weights, set.termCountMean));
      return { ulid, score: supersededBy === undefined ? score : score / 2 };
    })
    .sort((one, other) => other.score - one.score || (one.ulid < other.ulid ? 1 : -1));
}
