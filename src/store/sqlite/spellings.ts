/**
 * Words that look like another: for a word that no record holds.
 *
 * A word is kept once, with its ending as a second key. Two words that differ by a slip or two share
 * their first letters or their last ones, so only words that do are compared. Guarantees: bounded in
 * words that are compared; every answer is a word of some indexed text.
 */
import { slipsBetween, slipsMax } from "../../text/spelling.ts";
import type { Connection } from "./connection.ts";

const HEAD_CHARS = 3;
/** In the middle of a short word a slip touches both its ends. */
const SHORT_HEAD_CHARS = 2;
const SHORT_CHARS_MAX = 6;
const TAIL_CHARS = 3;
const COMPARED_COUNT_MAX = 4_000;
const ASKED_COUNT_MAX = 8;
const ANSWER_COUNT_MAX = 3;

const ALIKE = `
  SELECT word FROM words WHERE word >= ?1 AND word < ?2 AND length(word) BETWEEN ?4 AND ?5
  UNION
  SELECT word FROM words WHERE tail = ?3 AND length(word) BETWEEN ?4 AND ?5
  LIMIT ${COMPARED_COUNT_MAX}`;

export function findSpellings(
  connection: Connection,
  words: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  return connection.read(
    () =>
      new Map(words.slice(0, ASKED_COUNT_MAX).map((word) => [word, spellingsOf(connection, word)])),
  );
}

function spellingsOf(connection: Connection, word: string): string[] {
  const max = slipsMax(word);
  if (max === 0) return [];
  const head = word.slice(0, word.length > SHORT_CHARS_MAX ? HEAD_CHARS : SHORT_HEAD_CHARS);
  const rows = connection
    .statement(ALIKE)
    .all(head, `${head}\u{10ffff}`, tailOf(word), word.length - max, word.length + max);
  return rows
    .flatMap((row) => {
      const other = row.word as string;
      const slips = slipsBetween(word, other, max);
      return slips > max ? [] : [{ other, slips }];
    })
    .sort((a, b) => a.slips - b.slips || (a.other < b.other ? -1 : 1))
    .slice(0, ANSWER_COUNT_MAX)
    .map(({ other }) => other);
}

export function tailOf(word: string): string {
  return word.slice(-TAIL_CHARS);
}
