/**
 * Where the scanner puts the terms that it finds.
 *
 * Guarantees: what is pushed is folded, bounded in length, never empty and never splits a surrogate
 * pair.
 */
import { foldWord, isAscii } from "./fold.ts";
import type { Language } from "./languages.ts";
import { type Stemmer, stemmerOf } from "./stems.ts";

/** Longer terms are cut to this many UTF-16 units, in text and question alike. */
export const TERM_CHARS_MAX = 200;

/** What the scanner and the parts of compounds need of a sink. */
export interface ScanSink {
  /** The text in the form that is scanned. */
  readonly text: string;
  /** A compound, which is a term as it is. */
  push(start: number, end: number): void;
  /** A plain word, of which other forms are the same term. */
  pushWord(start: number, end: number): void;
  /** Characters that know neither case nor accents. */
  pushAsIs(start: number, end: number): void;
}

/** The folded form of what stands in [start, end), cut to TERM_CHARS_MAX. */
export function foldedSlice(text: string, start: number, end: number): string {
  return foldWord(boundedSlice(text, start, end));
}

export function boundedSlice(text: string, start: number, end: number): string {
  if (end - start <= TERM_CHARS_MAX) return text.slice(start, end);
  const last = text.charCodeAt(start + TERM_CHARS_MAX - 1);
  const isHalf = last >= 0xd800 && last <= 0xdbff;
  return text.slice(start, start + TERM_CHARS_MAX - (isHalf ? 1 : 0));
}

/** Terms of a text, in order, repeats kept. */
export class TermSink implements ScanSink {
  readonly terms: string[] = [];
  /** Start and end of each term in `text`, two numbers a term, when asked for. */
  readonly spans: number[] | undefined;
  readonly text: string;
  /** The plain words as they are written, folded and each once, when asked for. */
  readonly words: Set<string> | undefined;
  /** Of a text in ASCII, which folds by its small letters alone. */
  readonly #lower: string | undefined;
  readonly #stem: Stemmer;

  constructor(text: string, language: Language, also: "spans" | "words" | "nothing") {
    this.text = text;
    this.#stem = stemmerOf(language);
    this.#lower = isAscii(text) ? text.toLowerCase() : undefined;
    this.spans = also === "spans" ? [] : undefined;
    this.words = also === "words" ? new Set() : undefined;
  }

  push(start: number, end: number): void {
    const term =
      this.#lower === undefined
        ? foldedSlice(this.text, start, end)
        : boundedSlice(this.#lower, start, end);
    if (term !== "") this.#add(term, start, end);
  }

  pushWord(start: number, end: number): void {
    const word = boundedSlice(this.#lower ?? this.text, start, end);
    for (const term of this.#stem(word)) this.#add(term, start, end);
    this.words?.add(this.#lower === undefined ? foldWord(word) : word);
  }

  pushAsIs(start: number, end: number): void {
    this.#add(this.text.slice(start, end), start, end);
  }

  #add(term: string, start: number, end: number): void {
    this.terms.push(term);
    this.spans?.push(start, end);
  }
}
