/**
 * Coverage: how much of what was asked a text speaks of at all. BM25 lets a text that repeats one
 * rare word pass another that holds every word once; people mean the latter. Whoever speaks is named
 * by the record's source as well as by a word of it.
 */
import type { Asked, AskedWord, Scored } from "./scored.ts";
import { isSpeaker } from "./speaker.ts";

const GAIN = 1;

export function coverageFactor({ words, weights, dateWords }: Asked, hit: Scored): number {
  const isHeld = (at: number, word: AskedWord) =>
    (hit.words[at] as number) > 0 ||
    isSpeaker(hit.candidate, word) ||
    (hit.steps.date !== undefined && dateWords.has(at));
  let all = 0;
  let held = 0;
  for (const [at, word] of words.entries()) {
    if (word.isStop) continue;
    all += weights[at] as number;
    if (isHeld(at, word)) held += weights[at] as number;
  }
  return all === 0 ? 1 : 1 + GAIN * (held / all);
}
