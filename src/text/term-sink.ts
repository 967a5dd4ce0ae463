/**
 * Where the scanner puts the terms that it finds.
 *
 * Guarantees: what is pushed is folded, bounded in length, never empty and never splits a surrogate
 * pair.
 */
import { foldWord, isAscii } from "./fold.ts";

/** Longer terms are cut to this many UTF-16 units, in text and question alike. */
export const TERM_CHARS_MAX = 200;

export class TermSink {
  readonly terms: string[] = [];
  /** Start and end of each term in `text`, two numbers a term, when asked for. */
  readonly spans: number[] | undefined;
  /** The text in the form that is scanned. */
  readonly text: string;
  /** Of a text in ASCII, which folds by its small letters alone. */
  readonly #lower: string | undefined;

  constructor(text: string, withSpans: boolean) {
    this.text = text;
    this.#lower = isAscii(text) ? text.toLowerCase() : undefined;
    this.spans = withSpans ? [] : undefined;
  }

  push(start: number, end: number): void {
    const to = end - start > TERM_CHARS_MAX ? this.#cut(start) : end;
    const lower = this.#lower;
    const term =
      lower === undefined ? foldWord(this.text.slice(start, to)) : lower.slice(start, to);
    if (term === "") return;
    this.terms.push(term);
    this.spans?.push(start, end);
  }

  /** For characters that know neither case nor accents. */
  pushAsIs(start: number, end: number): void {
    this.terms.push(this.text.slice(start, end));
    this.spans?.push(start, end);
  }

  #cut(start: number): number {
    const last = this.text.charCodeAt(start + TERM_CHARS_MAX - 1);
    return start + TERM_CHARS_MAX - (last >= 0xd800 && last <= 0xdbff ? 1 : 0);
  }
}
