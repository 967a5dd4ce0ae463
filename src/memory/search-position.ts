/**
 * How far a search has been read: what its cursor carries. Pure.
 *
 * Guarantees: the cursor holds all that decides the order of the pages, so a record has the same
 * score on each of them, however many arrive or move meanwhile, and a page begins exactly behind
 * the last record of the one before even if that one is gone. Fits CURSOR_CHARS_MAX for 99,999,999
 * records and a question of QUESTION_WORD_COUNT_MAX words, the longest of them misspelt and Cyrillic.
 */
import { z } from "zod";
import { ulidSchema } from "../record/memory-record.ts";
import { QUESTION_WORD_COUNT_MAX } from "../text/question.ts";
import { WORD_CHARS_MAX } from "../text/spelling.ts";
import { SPELLED_COUNT_MAX, type Spellings } from "./asked-words.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "./cursor.ts";

/** The last that a Date can hold. */
const TIME_MS_MAX = 8.64e15;
const word = z.string().max(WORD_CHARS_MAX);

const positionSchema = z.strictObject({
  /** Hash of the question. */
  q: z.string(),
  /** Last record of the page before, and its score. */
  u: ulidSchema,
  k: z.number(),
  /** No record with a greater id belongs to these pages, nor lowers one that does. */
  m: ulidSchema,
  /** Record count, mean term count, and the number of records that hold each word. */
  s: z.array(z.number().nonnegative()).max(QUESTION_WORD_COUNT_MAX + 2),
  /** Misspelt words, each before those that it was taken for. */
  a: z.array(z.array(word).max(4)).max(SPELLED_COUNT_MAX).optional(),
  /** What "last week" counts from, in milliseconds since 1970; absent if no date was asked. */
  t: z.int().nonnegative().max(TIME_MS_MAX).optional(),
});

export type SearchPosition = z.infer<typeof positionSchema>;

/** What weighs the words of a question, as it was at the first page. */
export interface Weighing {
  readonly recordCount: number;
  readonly termCountMean: number;
  /** How many records hold each word. */
  readonly held: readonly number[];
  readonly spellings: Spellings;
}

export interface PageEnd {
  readonly question: string;
  /** Last record of the page. */
  readonly ulid: string;
  readonly score: number;
  /** Newest id that the pages are about. */
  readonly newest: string;
  readonly weighing: Weighing;
  /** Of the first page, if the question has dates. */
  readonly askedAtMs: number | undefined;
}

/** The mean as exact as a cursor carries it; the first page must use no other. */
export function cursorPrecision(termCountMean: number): number {
  return Math.round(termCountMean * 1_000) / 1_000;
}

export function writePosition(end: PageEnd): string {
  const { question, ulid, score, newest, weighing, askedAtMs } = end;
  const { recordCount, termCountMean, held, spellings } = weighing;
  const position: SearchPosition = {
    q: question,
    u: ulid,
    k: score,
    m: newest,
    s: [recordCount, termCountMean, ...held],
  };
  if (spellings.size > 0) position.a = [...spellings].map(([asked, meant]) => [asked, ...meant]);
  if (askedAtMs !== undefined) position.t = askedAtMs;
  return encodeCursor(position);
}

/** @throws MemspoolError CURSOR_INVALID */
export function readPosition(cursor: string, question: string, wordCount: number): SearchPosition {
  const position = decodeCursor(cursor, positionSchema);
  const fits = position.q === question && position.s.length === wordCount + 2;
  if (!fits) throw invalidCursor();
  return position;
}

export function weighingOf({ s, a = [] }: SearchPosition): Weighing {
  const [recordCount = 0, termCountMean = 0, ...held] = s;
  const spellings = new Map(a.map(([asked = "", ...meant]) => [asked, meant]));
  return { recordCount, termCountMean, held, spellings };
}

/** In the order of the ranking: by score, equal scores newest first. */
export function isBehind(
  hit: { readonly ulid: string; readonly score: number },
  position: SearchPosition,
): boolean {
  return hit.score < position.k || (hit.score === position.k && hit.ulid < position.u);
}
