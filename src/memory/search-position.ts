/**
 * How far a search has been read: what its cursor carries. Pure.
 *
 * Guarantees: the cursor holds all that decides the order of the pages, so a record has the same
 * score on each of them, however many arrive or move meanwhile, and a page begins exactly behind
 * the last record of the one before even if that one is gone. Fits CURSOR_CHARS_MAX for a question
 * of QUERY_TERM_COUNT_MAX terms and 99,999,999 records.
 */
import { z } from "zod";
import { ulidSchema } from "../record/memory-record.ts";
import type { TermStatistics } from "../text/rank.ts";
import { QUERY_TERM_COUNT_MAX } from "../text/terms.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "./cursor.ts";

const positionSchema = z.strictObject({
  /** Hash of the question. */
  q: z.string(),
  /** Last record of the page before, and its score. */
  u: ulidSchema,
  k: z.number(),
  /** No record with a greater id belongs to these pages, nor lowers one that does. */
  m: ulidSchema,
  /** Record count, mean term count, and the number of records that hold each term. */
  s: z.array(z.number().nonnegative()).max(QUERY_TERM_COUNT_MAX + 2),
});

export type SearchPosition = z.infer<typeof positionSchema>;

export interface PageEnd {
  readonly question: string;
  /** Last record of the page. */
  readonly ulid: string;
  readonly score: number;
  /** Newest id that the pages are about. */
  readonly newest: string;
  readonly terms: readonly string[];
  readonly statistics: TermStatistics;
}

/** The statistics as exact as a cursor carries them; the first page must use no others. */
export function cursorPrecision(statistics: TermStatistics): TermStatistics {
  const { recordCount, termCountMean, documentFrequency } = statistics;
  return {
    recordCount,
    termCountMean: Math.round(termCountMean * 1_000) / 1_000,
    documentFrequency,
  };
}

export function writePosition(end: PageEnd): string {
  const { recordCount, termCountMean, documentFrequency } = end.statistics;
  const frequencies = end.terms.map((term) =>
    Object.hasOwn(documentFrequency, term) ? (documentFrequency[term] as number) : 0,
  );
  const position: SearchPosition = {
    q: end.question,
    u: end.ulid,
    k: end.score,
    m: end.newest,
    s: [recordCount, termCountMean, ...frequencies],
  };
  return encodeCursor(position);
}

/** @throws MemspoolError CURSOR_INVALID */
export function readPosition(
  cursor: string,
  question: string,
  terms: readonly string[],
): SearchPosition {
  const position = decodeCursor(cursor, positionSchema);
  const fits = position.q === question && position.s.length === terms.length + 2;
  if (!fits) throw invalidCursor();
  return position;
}

export function statisticsOf({ s }: SearchPosition, terms: readonly string[]): TermStatistics {
  const [recordCount = 0, termCountMean = 0, ...frequencies] = s;
  const documentFrequency = Object.fromEntries(
    terms.map((term, index) => [term, frequencies[index] ?? 0]),
  );
  return { recordCount, termCountMean, documentFrequency };
}

/** In the order of the ranking: by score, equal scores newest first. */
export function isBehind(
  hit: { readonly ulid: string; readonly score: number },
  position: SearchPosition,
): boolean {
  return hit.score < position.k || (hit.score === position.k && hit.ulid < position.u);
}
