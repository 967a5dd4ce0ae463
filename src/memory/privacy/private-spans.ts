/**
 * Which parts of a text its writer marked as private: `<private>…</private>`.
 *
 * Guarantees: pure, in one pass over the text; what stands inside of spans within spans is private
 * too, and a span that is never closed reaches to the end, because hiding too much can be mended
 * and storing too much can not. A closing mark alone hides nothing.
 */

/** Half open, in UTF-16 code units. */
export type TextRange = readonly [start: number, end: number];

export function privateSpans(text: string): TextRange[] {
  const spans: TextRange[] = [];
  let depth = 0;
  let start = 0;
  for (const match of text.matchAll(/<(\/?)private(?:\s[^<>]*)?>/gi)) {
    if (match[1] === "") {
      if (depth === 0) start = match.index;
      depth++;
    } else if (depth > 0) {
      depth--;
      if (depth === 0) spans.push([start, match.index + match[0].length]);
    }
  }
  if (depth > 0) spans.push([start, text.length]);
  return spans;
}
