/**
 * A few words of a text around what was asked for.
 *
 * Guarantees: at most the asked number of UTF-16 units, marks and ellipses included; a surrogate
 * pair is never split; without the marks and ellipses it is a verbatim part of the text. Matches are
 * what the index matches (case, accents and width do not matter), wrapped in « ».
 */

import { alignedText } from "./aligned-text.ts";
import { isAscii } from "./fold.ts";
import { scanNormalised } from "./scan.ts";

const OPEN = "«";
const CLOSE = "»";
const ELLIPSIS = "…";
/** Marks may take this part of a snippet; matches beyond stay unmarked. */
const MARKS_SHARE = 8;
/** How far a cut may move to fall between words, as a part of the snippet. */
const CUT_SHARE = 10;

interface Match {
  readonly start: number;
  end: number;
  readonly term: string;
}

/**
 * @param terms of the question (text/terms)
 * @param charsMax at least 8
 */
export function makeSnippet(text: string, terms: readonly string[], charsMax: number): string {
  const matches = findMatches(text, new Set(terms));
  const marksMax = Math.max(1, Math.floor(charsMax / (MARKS_SHARE * 2)));
  if (matches.length === 0 || charsMax < 8) return cut(text, 0, charsMax, []);
  const width = charsMax - 2;
  const densest = densestWindow(matches, width - 2 * marksMax);
  const room = width - 2 * marksMax - (densest.end - densest.start);
  const start = Math.max(0, densest.start - Math.max(0, Math.floor(room / 2)));
  const marks = mergeRanges(matches.slice(densest.first, densest.last + 1)).slice(0, marksMax);
  return cut(text, start, charsMax, marks);
}

function findMatches(text: string, wanted: ReadonlySet<string>): Match[] {
  if (wanted.size === 0) return [];
  const aligned = isAscii(text) ? undefined : alignedText(text);
  const { terms, spans } = scanNormalised(aligned?.normal ?? text);
  const matches: Match[] = [];
  for (let n = 0; n < terms.length; n++) {
    const term = terms[n] as string;
    if (!wanted.has(term)) continue;
    const start = spans[2 * n] as number;
    const end = spans[2 * n + 1] as number;
    matches.push(
      aligned === undefined
        ? { start, end, term }
        : { start: aligned.sourceStart(start), end: aligned.sourceEnd(end), term },
    );
  }
  return matches.sort((one, other) => one.start - other.start || other.end - one.end);
}

/** The run of matches within `width` that holds the most different terms, then the most matches. */
function densestWindow(matches: readonly Match[], width: number) {
  const inside = new Map<string, number>();
  let best = { first: 0, last: 0, terms: 0, count: 0 };
  let first = 0;
  for (let last = 0; last < matches.length; last++) {
    const { term, end } = matches[last] as Match;
    inside.set(term, (inside.get(term) ?? 0) + 1);
    while (first < last && end - (matches[first] as Match).start > width) {
      const left = (matches[first] as Match).term;
      const count = (inside.get(left) as number) - 1;
      if (count === 0) inside.delete(left);
      else inside.set(left, count);
      first++;
    }
    const count = last - first + 1;
    if (inside.size > best.terms || (inside.size === best.terms && count > best.count)) {
      best = { first, last, terms: inside.size, count };
    }
  }
  const start = (matches[best.first] as Match).start;
  let end = start;
  for (let n = best.first; n <= best.last; n++) end = Math.max(end, (matches[n] as Match).end);
  return { first: best.first, last: best.last, start, end };
}

function mergeRanges(matches: readonly Match[]): Match[] {
  const merged: Match[] = [];
  for (const match of matches) {
    const before = merged.at(-1);
    if (before !== undefined && match.start <= before.end) {
      before.end = Math.max(before.end, match.end);
    } else merged.push({ ...match });
  }
  return merged;
}

/** The part from about `from` on, marked, with an ellipsis at each end that is not the text's. */
function cut(text: string, from: number, charsMax: number, marks: readonly Match[]): string {
  const marksChars = 2 * marks.length;
  if (text.length + marksChars <= charsMax) return mark(text, 0, text.length, marks);
  const slack = Math.floor(charsMax / CUT_SHARE);
  const width = Math.max(0, charsMax - marksChars - 2);
  let start = Math.min(from, text.length - width);
  let end = Math.min(text.length, start + width);
  if (start > 0) start = wordStart(text, start, Math.min(start + slack, marks[0]?.start ?? end));
  if (end < text.length)
    end = wordEnd(text, end, Math.max(end - slack, marks.at(-1)?.end ?? start));
  start = wholeCharacter(text, start, 1);
  end = Math.max(start, wholeCharacter(text, end, -1));
  const head = start > 0 && charsMax > 0 ? ELLIPSIS : "";
  const tail = end < text.length && charsMax > head.length ? ELLIPSIS : "";
  return head + mark(text, start, end, marks) + tail;
}

function mark(text: string, start: number, end: number, marks: readonly Match[]): string {
  let out = "";
  let at = start;
  for (const range of marks) {
    const from = Math.max(at, range.start);
    const to = wholeCharacter(text, Math.min(end, range.end), -1);
    if (from >= to) continue;
    out += text.slice(at, from) + OPEN + text.slice(from, to) + CLOSE;
    at = to;
  }
  return out + text.slice(at, end);
}

function wordStart(text: string, start: number, limit: number): number {
  for (let at = start; at <= limit; at++) if (isSpace(text, at - 1)) return at;
  return start;
}

function wordEnd(text: string, end: number, limit: number): number {
  for (let at = end; at >= limit; at--) if (isSpace(text, at)) return at;
  return end;
}

function isSpace(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit === 32 || (unit >= 9 && unit <= 13) || unit === 0x3000;
}

/** `at`, or one unit on in `direction` if it would part a surrogate pair. */
function wholeCharacter(text: string, at: number, direction: 1 | -1): number {
  const before = text.charCodeAt(at - 1);
  const behind = text.charCodeAt(at);
  const parts = before >= 0xd800 && before <= 0xdbff && behind >= 0xdc00 && behind <= 0xdfff;
  return parts ? at + direction : at;
}
