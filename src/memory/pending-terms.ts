/**
 * The index terms of queued texts, for questions about them.
 *
 * Guarantees: a text is taken apart once, not once a question; its terms are kept in a form that is
 * about as large as the text, and forgotten with it.
 */
import type { PendingText } from "../queue/pending-view.ts";
import { TextTerms } from "../text/text-terms.ts";
import type { LoopTurns } from "./loop-turns.ts";

export class PendingTerms {
  readonly #kept = new WeakMap<PendingText, TextTerms>();

  async termsOf(pending: PendingText, turns: LoopTurns): Promise<TextTerms> {
    const known = this.#kept.get(pending);
    if (known) return known;
    const terms = new TextTerms(pending.record);
    this.#kept.set(pending, terms);
    await turns.worked(terms.chars);
    return terms;
  }
}
