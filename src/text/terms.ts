/**
 * Texts and questions as index terms: the one pipeline for every store and for records that are
 * not in a store yet. scan.ts says what a term is, fold.ts how spellings meet.
 */
import { scanText } from "./scan.ts";

/**
 * Raised whenever the same text may give other terms than before. A store keeps the version that
 * filled its index.
 */
export const TEXT_PIPELINE_VERSION = 1;

export const QUERY_TERM_COUNT_MAX = 64;
/** Of a question; what stands behind is ignored. */
const QUERY_SCAN_CHARS_MAX = 16_384;

/** All terms of a text, in order, repeats kept: what is indexed and what is counted. */
export function indexTerms(text: string): string[] {
  return scanText(text, "index");
}

/**
 * The distinct terms of a question, in order, at most QUERY_TERM_COUNT_MAX. Any string is safe: a
 * question has no operators.
 */
export function queryTerms(query: string): string[] {
  const distinct = new Set<string>();
  for (const term of scanText(query.slice(0, QUERY_SCAN_CHARS_MAX), "query")) {
    distinct.add(term);
    if (distinct.size === QUERY_TERM_COUNT_MAX) break;
  }
  return [...distinct];
}
