/**
 * From candidates to hits in order: BM25, then each step that is switched on.
 *
 * Guarantees: pure but for the neighbours that it asks for; the same candidates, statistics and
 * switches give the same order. Equal scores are ordered newest first. A superseded record keeps a
 * part of its score.
 */
import { SUPERSEDED_FACTOR, sumOf, wordScores } from "../../text/rank.ts";
import type { LoopTurns } from "../loop-turns.ts";
import { isOn, type LiftSwitches, type SearchLift } from "../search-lifts.ts";
import { answersFactor } from "./answers.ts";
import { coverageFactor } from "./coverage.ts";
import { dateScore, isDated } from "./dates.ts";
import { asksForAnswer, LENDER_COUNT_MAX, lendToNeighbours, type Neighbour } from "./lending.ts";
import type { Asked, Candidate, FactorStep, Scored } from "./scored.ts";
import { speakerFactor } from "./speaker.ts";

type NamedStep = readonly [SearchLift, FactorStep];

/** About a text's own words: what it earns, and may lend. */
const WORD_STEPS: readonly NamedStep[] = [["coverage", coverageFactor]];
/** About who said it and when, however it was found. */
const FACT_STEPS: readonly NamedStep[] = [
  ["answers", answersFactor],
  ["speaker", speakerFactor],
];

/** Looking for facts in a text costs at most as much as taking so many characters of it apart. */
const FACT_CHARS = 512;

export interface RankOptions {
  readonly turns: LoopTurns;
  readonly asked: Asked;
  readonly termCountMean: number;
  readonly lifts: LiftSwitches | undefined;
  /** Whether the record that replaces this one counts yet. */
  readonly isSuperseded: (candidate: Candidate) => boolean;
  /** The turns beside these records that may be in the answer. */
  readonly neighboursOf: (hits: readonly Candidate[]) => Promise<readonly Neighbour[]>;
}

export async function rankHits(
  candidates: readonly Candidate[],
  options: RankOptions,
): Promise<Scored[]> {
  const { lifts } = options;
  const scoreAlone = (candidate: Candidate) => scoreOne(candidate, options);
  let hits = candidates.map(scoreAlone).filter(({ score }) => score > 0);
  if (isOn(lifts, "neighbours") && asksForAnswer(options.asked)) {
    const lenders = hits.sort(bestFirst).slice(0, LENDER_COUNT_MAX);
    const neighbours = await options.neighboursOf(lenders.map(({ candidate }) => candidate));
    hits = lendToNeighbours(hits, neighbours, scoreAlone);
  }
  for (const hit of hits) {
    multiply(hit, FACT_STEPS, options);
    await options.turns.worked(Math.min(hit.candidate.record.surface.length, FACT_CHARS));
    if (options.isSuperseded(hit.candidate)) {
      hit.score *= SUPERSEDED_FACTOR;
      hit.steps.superseded = SUPERSEDED_FACTOR;
    }
  }
  return hits.sort(bestFirst);
}

function scoreOne(candidate: Candidate, options: RankOptions): Scored {
  const { asked, termCountMean } = options;
  const words = wordScores(candidate.measured, asked.words, asked.weights, termCountMean);
  const bm25 = sumOf(words);
  const hit: Scored = { candidate, words, bm25, score: bm25, steps: {} };
  if (isDated(asked, candidate)) {
    hit.steps.date = dateScore(asked, hit);
    hit.score += hit.steps.date;
  }
  if (hit.score > 0) multiply(hit, WORD_STEPS, options);
  return hit;
}

function multiply(hit: Scored, steps: readonly NamedStep[], { asked, lifts }: RankOptions): void {
  for (const [lift, step] of steps) {
    if (!isOn(lifts, lift)) continue;
    const factor = step(asked, hit);
    if (factor === 1) continue;
    hit.score *= factor;
    hit.steps[lift] = factor;
  }
}

function bestFirst(one: Scored, other: Scored): number {
  if (one.score !== other.score) return other.score - one.score;
  return one.candidate.ulid < other.candidate.ulid ? 1 : -1;
}
