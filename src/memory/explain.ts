/** Why a hit stands where it does: what each word brought, and what each step made of it. Pure. */
import type { HitExplanation } from "./memory.ts";
import type { Asked, Scored } from "./ranking/scored.ts";

const DIGITS = 10_000;

export function explain({ words, dates }: Asked, hit: Scored): HitExplanation {
  const held = words.flatMap(({ word, isStop, spelledAs }, at) => {
    const score = hit.words[at] as number;
    if (score === 0) return [];
    return [
      {
        ...{ word, score: round(score) },
        ...(isStop ? { stop_word: true } : {}),
        ...(spelledAs === undefined ? {} : { spelled_as: [...spelledAs] }),
      },
    ];
  });
  const missing = words.flatMap(({ word, isStop }, at) =>
    isStop || (hit.words[at] as number) > 0 ? [] : [word],
  );
  const steps = Object.entries(hit.steps).map(([step, by]) => [step, round(by)] as const);
  return {
    bm25: round(hit.bm25),
    words: held,
    ...(missing.length === 0 ? {} : { missing }),
    steps: Object.fromEntries(steps),
    ...(dates.length === 0 ? {} : { dates: dates.length }),
  };
}

function round(number: number): number {
  return Math.round(number * DIGITS) / DIGITS;
}
