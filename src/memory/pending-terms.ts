/**
 * The index terms of pending texts, for questions about them.
 *
 * Guarantees: a text is taken apart once, not once a question; the terms are kept as one string,
 * which is about as large as the text (a Map of its terms is fourteen times as large, and with the
 * store away this process may hold thousands of texts). Forgotten with the text.
 */
import type { PendingText } from "../queue/pending-view.ts";
import { indexedText } from "../text/indexed-text.ts";
import type { MeasuredText } from "../text/rank.ts";
import { indexTerms } from "../text/terms.ts";
import type { LoopTurns } from "./loop-turns.ts";

/** Stands before and behind every term, and in none: terms are made of letters, digits and marks. */
const FENCE = "\n";
/** Looking a term up in a kept text costs this much less than making the text's terms. */
const LOOKUP_SHARE = 64;

interface KeptTerms {
  readonly fenced: string;
  readonly count: number;
}

export class PendingTerms {
  readonly #kept = new WeakMap<PendingText, KeptTerms>();

  /** The text, measured as far as these terms go. */
  async measure(
    pending: PendingText,
    terms: readonly string[],
    turns: LoopTurns,
  ): Promise<MeasuredText> {
    const { fenced, count } = await this.#termsOf(pending, turns);
    const frequencies = new Map<string, number>();
    for (const term of terms) {
      const frequency = occurrences(fenced, `${FENCE}${term}${FENCE}`);
      if (frequency > 0) frequencies.set(term, frequency);
    }
    await turns.worked((fenced.length * terms.length) / LOOKUP_SHARE);
    return { termCount: count, frequencies };
  }

  async #termsOf(pending: PendingText, turns: LoopTurns): Promise<KeptTerms> {
    const known = this.#kept.get(pending);
    if (known) return known;
    const terms = indexTerms(indexedText(pending.record));
    const kept = { fenced: `${FENCE}${terms.join(FENCE)}${FENCE}`, count: terms.length };
    this.#kept.set(pending, kept);
    await turns.worked(kept.fenced.length);
    return kept;
  }
}

function occurrences(text: string, fencedTerm: string): number {
  let count = 0;
  // Neighbours share a fence.
  const step = fencedTerm.length - FENCE.length;
  for (let at = text.indexOf(fencedTerm); at !== -1; at = text.indexOf(fencedTerm, at + step)) {
    count++;
  }
  return count;
}
