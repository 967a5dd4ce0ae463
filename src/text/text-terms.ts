/**
 * A text's terms in one string: what the scorer looks words up in.
 *
 * Guarantees: as many terms as {@link indexTerms} gives, in their order. One string is about as large
 * as the text, where a map of its terms would be fourteen times as large, so it can be kept for
 * thousands of pending texts.
 */
import { type IndexedFields, indexedText } from "./indexed-text.ts";
import { indexTerms } from "./terms.ts";

/** Stands before and behind every term, and in none: terms are made of letters, digits and marks. */
const FENCE = "\n";

export class TextTerms {
  readonly #fenced: string;
  readonly count: number;

  constructor(record: IndexedFields) {
    const terms = indexTerms(indexedText(record));
    this.#fenced = `${FENCE}${terms.join(FENCE)}${FENCE}`;
    this.count = terms.length;
  }

  get chars(): number {
    return this.#fenced.length;
  }

  /** How often the term stands in the text. */
  occurrences(term: string): number {
    let count = 0;
    for (let at = this.#find(term, 0); at !== -1; at = this.#find(term, at + term.length + 1)) {
      count++;
    }
    return count;
  }

  #find(term: string, from: number): number {
    // Neighbours share a fence.
    return this.#fenced.indexOf(`${FENCE}${term}${FENCE}`, from);
  }
}
