/**
 * Ids of which something bad would be said are looked for once more, at every place in the direction
 * in which records move: they may have been on their way while we looked.
 *
 * Guarantees: bounded memory however many there are; nothing is taken in that was not known before.
 */
import { textOfWords } from "./id-words.ts";
import { lookAtQuarantine } from "./look-at-quarantine.ts";
import { lookAtSegments, pendingIds } from "./look-at-queue.ts";
import type { Pass } from "./pass.ts";
import { ALIASED, FORGOTTEN, isInDoubt, PENDING, STORED } from "./places.ts";

const FLAGS = { ingested: STORED, duplicate: ALIASED, forgotten: FORGOTTEN } as const;
const LOOKUP_COUNT_MAX = 1_000;

/** @param segments names of the overflow segments that were looked at before */
export async function lookAgain(pass: Pass, segments: Set<string>): Promise<void> {
  const inDoubt = countInDoubt(pass);
  if (inDoubt === 0) return;
  for (const ulid of pendingIds(pass)) pass.markIfThere(ulid, PENDING);
  await lookAtSegments(pass, segments);
  await lookUpInStore(pass, inDoubt);
  // With content, once more: that finds again what is wrong and tells it twice.
  if (countInDoubt(pass) > 0) await lookAtQuarantine(pass.withoutFindings());
}

function countInDoubt(pass: Pass): number {
  let count = 0;
  for (const { flags } of pass.table.entries()) if (isInDoubt(flags)) count++;
  return count;
}

async function lookUpInStore(pass: Pass, total: number): Promise<void> {
  let batch: string[] = [];
  let done = 0;
  const ask = async (): Promise<void> => {
    for (const [ulid, { state }] of await pass.parts.store.lookup(batch)) {
      pass.markIfThere(ulid, FLAGS[state]);
    }
    done += batch.length;
    batch = [];
    await pass.pace.worked("second look", Math.min(done, total), total);
  };
  for (const { flags, words, at } of pass.table.entries()) {
    if (isInDoubt(flags)) batch.push(textOfWords(words, at));
    if (batch.length === LOOKUP_COUNT_MAX) await ask();
  }
  if (batch.length > 0) await ask();
  pass.pace.finished("second look");
}
