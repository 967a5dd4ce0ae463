/**
 * Lending: a conversation answers a question in the turn after it, and speaks of one thing for a
 * while. Turns beside a good hit gain by that, those behind it most.
 *
 * Guarantees: what is lent is a part of what the lenders' own words earned, never of what they were
 * lent themselves, so that nothing runs away; the order in which hits come does not matter.
 */
import type { Asked, Candidate, Scored } from "./scored.ts";

/** How much of its score a hit lends to the turn that follows it by so many places. */
const LENT_BY_OFFSET: ReadonlyMap<number, number> = new Map([
  [-2, 0.05],
  [-1, 0.12],
  [1, 0.5],
  [2, 0.2],
]);
export const LENDING_SPAN = 2;
/** The best this many lend. */
export const LENDER_COUNT_MAX = 30;
export interface Neighbour {
  /** Id of the record that it stands beside. */
  readonly of: string;
  /** Places behind it; negative before it. */
  readonly offset: number;
  readonly candidate: Candidate;
}

const TELLING_COUNT_MIN = 3;

/**
 * Whether something is asked that another turn may answer. Who looks for a word or two, without
 * asking, wants the texts that hold them and no others.
 */
export function asksForAnswer({ query, words }: Asked): boolean {
  if (/[?？]\s*$/u.test(query) || words.some(({ isStop }) => isStop)) return true;
  return words.filter(({ isHint }) => !isHint).length >= TELLING_COUNT_MIN;
}

/** Adds what neighbours lend, and the neighbours that were no hits by themselves. */
export function lendToNeighbours(
  hits: readonly Scored[],
  neighbours: readonly Neighbour[],
  scoreAlone: (candidate: Candidate) => Scored,
): Scored[] {
  const known = new Map(hits.map((hit) => [hit.candidate.ulid, hit]));
  const earned = new Map(hits.map(({ candidate: { ulid }, score }) => [ulid, score]));
  for (const { of, offset, candidate } of neighbours) {
    const share = LENT_BY_OFFSET.get(offset);
    if (share === undefined) continue;
    let hit = known.get(candidate.ulid);
    if (hit === undefined) {
      hit = scoreAlone(candidate);
      known.set(candidate.ulid, hit);
    }
    const lent = share * (earned.get(of) ?? 0);
    hit.score += lent;
    hit.steps.neighbours = (hit.steps.neighbours ?? 0) + lent;
  }
  return [...known.values()];
}

export function sessionOf({ record }: Candidate): string | undefined {
  if (record.session_id === undefined) return undefined;
  return JSON.stringify([record.project ?? "", record.session_id]);
}
