/**
 * The one scorer: BM25 over the texts of candidates, whichever store or queue they came from.
 *
 * Guarantees: the same texts and statistics give the same order everywhere. k1 and b are those of
 * SQLite's FTS5; the weight of a term is ln(1 + (N − n + ½) / (n + ½)), as in Lucene
 * (https://doi.org/10.1007/978-3-030-45442-5_4), which stays above zero for a term that most records
 * hold and so tells words apart in a collection of a few records, too. Equal scores are ordered
 * newest first. A superseded record keeps SUPERSEDED_FACTOR of its score; nothing else is mixed in.
 * Pure.
 */
import { type IndexedFields, indexedText } from "./indexed-text.ts";
import { indexTerms } from "./terms.ts";

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

/** A text's terms, counted. Worth keeping for texts that many questions look at. */
export interface MeasuredText {
  readonly termCount: number;
  readonly frequencies: ReadonlyMap<string, number>;
}

export interface RankCandidate {
  readonly ulid: string;
  readonly record: IndexedFields;
  readonly supersededBy?: string | undefined;
  /** Saves counting again. */
  readonly measured?: MeasuredText | undefined;
}

export interface Ranking<C extends RankCandidate> extends TermStatistics {
  /** Of the question, see text/terms. */
  readonly terms: readonly string[];
  readonly candidates: readonly C[];
}

export interface Ranked<C extends RankCandidate> {
  readonly candidate: C;
  /** 0 when no term occurs. */
  readonly score: number;
}

export function measureText(record: IndexedFields): MeasuredText {
  const terms = indexTerms(indexedText(record));
  const frequencies = new Map<string, number>();
  for (const term of terms) frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
  return { termCount: terms.length, frequencies };
}

/** All candidates, best first. */
export function rankCandidates<C extends RankCandidate>(ranking: Ranking<C>): Ranked<C>[] {
  const weights = new Map(
    ranking.terms.map((term) => [
      term,
      inverseFrequency(ranking.recordCount, frequencyOf(ranking.documentFrequency, term)),
    ]),
  );
  return ranking.candidates
    .map((candidate) => {
      const measured = candidate.measured ?? measureText(candidate.record);
      const score = scoreText(measured, weights, ranking.termCountMean);
      const factor = candidate.supersededBy === undefined ? 1 : SUPERSEDED_FACTOR;
      return { candidate, score: score * factor };
    })
    .sort((one, other) => other.score - one.score || newestFirst(one, other));
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
  const documentFrequency = Object.fromEntries(
    terms.map((term) => {
      let count = frequencyOf(statistics.documentFrequency, term);
      for (const text of texts) if (text.frequencies.has(term)) count++;
      return [term, count];
    }),
  );
  return { recordCount, termCountMean: termCount / recordCount, documentFrequency };
}

/** Of an empty collection; the base to merge into when there is no store to ask. */
export const NO_STATISTICS: TermStatistics = Object.freeze({
  recordCount: 0,
  termCountMean: 0,
  documentFrequency: Object.freeze({}),
});

// A term may be called "constructor".
function frequencyOf(frequencies: Readonly<Record<string, number>>, term: string): number {
  return Object.hasOwn(frequencies, term) ? (frequencies[term] as number) : 0;
}

function inverseFrequency(recordCount: number, documentFrequency: number): number {
  // Statistics may be a moment older than the candidates.
  const held = Math.min(documentFrequency, recordCount);
  return Math.log1p((recordCount - held + 0.5) / (held + 0.5));
}

function scoreText(
  text: MeasuredText,
  weights: ReadonlyMap<string, number>,
  termCountMean: number,
): number {
  const length = termCountMean > 0 ? text.termCount / termCountMean : 1;
  const norm = K1 * (1 - B + B * length);
  let score = 0;
  for (const [term, weight] of weights) {
    const frequency = text.frequencies.get(term);
    if (frequency !== undefined) score += (weight * frequency * (K1 + 1)) / (frequency + norm);
  }
  return score;
}

function newestFirst(one: Ranked<RankCandidate>, other: Ranked<RankCandidate>): number {
  if (one.candidate.ulid === other.candidate.ulid) return 0;
  return one.candidate.ulid < other.candidate.ulid ? 1 : -1;
}
