/**
 * What lifts a ranking beyond BM25: each step has a name, can be switched off, and is there because
 * docs/RECALL.md shows what it brings. With all of them off the order is that of BM25.
 */

/** In the order in which they act. */
export const SEARCH_LIFTS = [
  /** Question and stop words count a part of their weight, and are no answer by themselves. */
  "stop_words",
  /** Single Han characters of a longer run count a little. */
  "characters",
  /** A word that no record holds stands for those that differ from it by a slip. */
  "spelling",
  /** A text that holds more of the question's words gains. */
  "coverage",
  /** A question asks for a number, a time or a reason, and is seldom answered by another question. */
  "answers",
  /** A name in the question that is the record's source, or a hint at its role. */
  "speaker",
  /** A date in the question within which the record was said. */
  "date",
  /** Turns of a session lend weight to those beside them: an answer follows its question. */
  "neighbours",
] as const;

export type SearchLift = (typeof SEARCH_LIFTS)[number];

/** Lifts that are switched off or on; absent ones are on. */
export type LiftSwitches = Readonly<Partial<Record<SearchLift, boolean>>>;

export function isOn(switches: LiftSwitches | undefined, lift: SearchLift): boolean {
  return switches?.[lift] !== false;
}
