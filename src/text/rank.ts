/**
 * The one scorer's ground: BM25 over the texts of candidates, whichever store or queue they came
 * from. What lifts a ranking beyond it stands in memory/ranking.
 *
 * Guarantees: the same texts and statistics give the same scores everywhere. k1 and b are those of
 * SQLite's FTS5; the weight of a word is ln(1 + (N − n + ½) / (n + ½)), as in Lucene
 * (https://doi.org/10.1007/978-3-030-45442-5_4), which stays above zero for a word that most records
 * hold and so tells words apart in a collection of a few records, too. Terms that count as one word
 * are counted together, and the word is as frequent as the most frequent of them (as in Lucene's
 * SynonymQuery). Pure.
 */
import type { TextTerms } from "./text-terms.ts";

const K1 = 1.2;
const B = 0.75;
export const SUPERSEDED_FACTOR = 0.5;

/** What BM25 needs to know of all the records beside the candidates. */
export interface TermStatistics {
  readonly recordCount: number;
  /** Index terms a record has on average. */
  readonly termCountMean: number;
  /** Term → number of records that hold it. */
  readonly documentFrequency: Readonly<Record<string, number>>;
}

/** A word that is looked for, and how much of its weight counts. */
export interface WeighedWord {
  readonly terms: readonly string[];
  /** 1 unless a step lowers or raises it. */
  readonly weight: number;
}

/** How often a text holds each term that is looked for, and how long it is. */
export interface MeasuredText {
  readonly termCount: number;
  /** Terms that it does not hold are absent. */
  readonly frequencies: ReadonlyMap<string, number>;
}

export function measureText(text: TextTerms, terms: readonly string[]): MeasuredText {
  const frequencies = new Map<string, number>();
  for (const term of terms) {
    const count = text.occurrences(term);
    if (count > 0) frequencies.set(term, count);
  }
  return { termCount: text.count, frequencies };
}

/** How many records hold each word: as many as the most frequent of its terms. */
export function heldCounts(
  words: readonly WeighedWord[],
  { documentFrequency }: TermStatistics,
): number[] {
  return words.map(({ terms }) =>
    Math.max(0, ...terms.map((term) => frequencyOf(documentFrequency, term))),
  );
}

/** @param held one count a word, see {@link heldCounts} */
export function wordWeights(
  words: readonly WeighedWord[],
  recordCount: number,
  held: readonly number[],
): number[] {
  return words.map(({ weight }, at) => weight * inverseFrequency(recordCount, held[at] ?? 0));
}

/** What each word adds to the text's score; 0 for one that it does not hold. */
export function wordScores(
  { termCount, frequencies }: MeasuredText,
  words: readonly WeighedWord[],
  weights: readonly number[],
  termCountMean: number,
): number[] {
  const length = termCountMean > 0 ? termCount / termCountMean : 1;
  const norm = K1 * (1 - B + B * length);
  return words.map(({ terms }, at) => {
    let frequency = 0;
    for (const term of terms) frequency += frequencies.get(term) ?? 0;
    const weight = weights[at] as number;
    return frequency === 0 ? 0 : (weight * frequency * (K1 + 1)) / (frequency + norm);
  });
}

export function sumOf(numbers: readonly number[]): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum;
}

/** The statistics as they will be when the texts are in the store too. */
export function mergeStatistics(
  statistics: TermStatistics,
  terms: readonly string[],
  texts: readonly MeasuredText[],
): TermStatistics {
  if (texts.length === 0) return statistics;
  const recordCount = statistics.recordCount + texts.length;
  let termCount = statistics.recordCount * statistics.termCountMean;
  for (const text of texts) termCount += text.termCount;
  const counts = new Map(
    terms.map((term) => [term, frequencyOf(statistics.documentFrequency, term)]),
  );
  // A text holds few of the terms of a long question.
  for (const { frequencies } of texts) {
    for (const term of frequencies.keys()) {
      const count = counts.get(term);
      if (count !== undefined) counts.set(term, count + 1);
    }
  }
  const documentFrequency = Object.fromEntries(counts);
  return { recordCount, termCountMean: termCount / recordCount, documentFrequency };
}

/** Of an empty collection; the base to merge into when there is no store to ask. */
export const NO_STATISTICS: TermStatistics = Object.freeze({
  recordCount: 0,
  termCountMean: 0,
  documentFrequency: Object.freeze({}),
});

// A term may be called "constructor".
export function frequencyOf(frequencies: Readonly<Record<string, number>>, term: string): number {
  return Object.hasOwn(frequencies, term) ? (frequencies[term] as number) : 0;
}

function inverseFrequency(recordCount: number, documentFrequency: number): number {
  // Statistics may be a moment older than the candidates.
  const held = Math.min(documentFrequency, recordCount);
  return Math.log1p((recordCount - held + 0.5) / (held + 0.5));
}
