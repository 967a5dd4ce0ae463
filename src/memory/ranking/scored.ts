/** A record on its way through the ranking, and what the steps know of the question. */
import type { QuestionWord } from "../../text/question.ts";
import type { MeasuredText } from "../../text/rank.ts";
import type { KnownRecord } from "../summary.ts";

export interface Candidate extends KnownRecord {
  readonly measured: MeasuredText;
}

export interface Scored {
  readonly candidate: Candidate;
  /** What each word of the question adds, in their order. */
  readonly words: readonly number[];
  readonly bm25: number;
  score: number;
  /** What each step did: a factor for those that multiply, an addend for those that lend. */
  readonly steps: Record<string, number>;
}

/** When a question is about: from a time to another, or a month or day of any year. */
export type DateRange =
  | { readonly fromMs: number; readonly toMs: number }
  | { readonly month: number; readonly day?: number | undefined };

export interface AskedDate {
  readonly range: DateRange;
  /** How the question puts it. */
  readonly text: string;
}

/** A word as it is scored. */
export interface AskedWord extends QuestionWord {
  /** Its share of the weight that its rarity gives it. */
  readonly weight: number;
  /** Words that it was taken for, because none is spelt like it. */
  readonly spelledAs?: readonly string[];
}

/** Kinds of answers; both may be. */
export interface AskedKinds {
  readonly number: boolean;
  readonly time: boolean;
}

/** A question as the steps know it: what it asks for is found out once, not once a record. */
export interface Asked {
  readonly query: string;
  /** What kind of thing is asked for. */
  readonly kinds: AskedKinds;
  /** Whose words are asked for, if the question hints at it. */
  readonly role: "assistant" | "user" | undefined;
  readonly words: readonly AskedWord[];
  /** Weight of each word in this collection. */
  readonly weights: readonly number[];
  readonly dates: readonly DateRange[];
  /** Places of the words that the dates are made of. */
  readonly dateWords: ReadonlySet<number>;
}

/** A step that multiplies each score by itself. */
export type FactorStep = (asked: Asked, hit: Scored) => number;
