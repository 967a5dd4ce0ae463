/**
 * Takes the words of forgotten records out of the table of words, inside a write transaction of the
 * caller's and after their rows are gone.
 *
 * Guarantees: a word that stays is in another record, which was looked at. Does not guarantee that a
 * word goes only with its last record: of those that hold it, in any of its forms, the newest few are
 * looked at; a word that is not in them goes, and comes back with the next record that has it. Until
 * then it is not proposed for a misspelt one, which is all that the table is for.
 */
import type { MemoryRecord } from "../../record/memory-record.ts";
import { indexedText } from "../../text/indexed-text.ts";
import { mayBeMisspelt } from "../../text/spelling.ts";
import { indexTerms, indexTermsAndWords } from "../../text/terms.ts";
import type { Connection } from "./connection.ts";

const LOOKED_AT_COUNT_MAX = 3;

const HOLDERS = `SELECT r.id, r.record FROM (
    SELECT rowid AS id FROM records_fts WHERE records_fts MATCH ?
    ORDER BY rowid DESC LIMIT ${LOOKED_AT_COUNT_MAX}
  ) newest CROSS JOIN records r ON r.id = newest.id`;

export function forgetWords(connection: Connection, records: readonly MemoryRecord[]): void {
  const words = new Set(records.flatMap((record) => [...wordsOf(record)]));
  const known = new Map<number, ReadonlySet<string>>();
  const remove = connection.statement("DELETE FROM words WHERE word = ?");
  for (const word of words) {
    if (mayBeMisspelt(word) && !isHeld(connection, word, known)) remove.run(word);
  }
  // What this connection believes to be there may be gone.
  connection.writtenWords.clear();
}

function isHeld(
  connection: Connection,
  word: string,
  known: Map<number, ReadonlySet<string>>,
): boolean {
  const terms = indexTerms(word).map((term) => `"${term.replaceAll('"', '""')}"`);
  if (terms.length === 0) return false;
  for (const row of connection.statement(HOLDERS).all(terms.join(" "))) {
    const id = row.id as number;
    const words = known.get(id) ?? wordsOf(JSON.parse(row.record as string) as MemoryRecord);
    known.set(id, words);
    if (words.has(word)) return true;
  }
  return false;
}

function wordsOf(record: MemoryRecord): ReadonlySet<string> {
  return indexTermsAndWords(indexedText(record)).words;
}
