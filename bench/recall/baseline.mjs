// What the search is compared with: SQLite's own FTS5 over the same turns, with its standard
// tokenizer and its bm25(), asked with the question's words (runs of letters and digits) joined by
// OR, as a careful user of FTS5 would, or by AND, as most servers do.
import { DatabaseSync } from "@photostructure/sqlite";
import { turnKey } from "./dataset.mjs";

export const BASELINES = {
  "fts5 or": { joiner: " OR ", withSpeaker: false },
  "fts5 and": { joiner: " AND ", withSpeaker: false },
  // Knows who speaks, as the search does: the name stands before the text.
  "fts5 or, speaker": { joiner: " OR ", withSpeaker: true },
};

/** @returns {(question: string, limit: number) => string[]} turn keys, best first */
export function openBaseline(turns, { joiner, withSpeaker }) {
  const db = new DatabaseSync(":memory:");
  db.exec("CREATE VIRTUAL TABLE turns USING fts5 (text, tokenize = 'unicode61')");
  const insert = db.prepare("INSERT INTO turns (rowid, text) VALUES (?, ?)");
  db.exec("BEGIN");
  for (const [index, { text, speaker }] of turns.entries()) {
    insert.run(index, withSpeaker && speaker ? `${speaker}: ${text}` : text);
  }
  db.exec("COMMIT");
  const select = db.prepare(
    "SELECT rowid FROM turns WHERE turns MATCH ? ORDER BY bm25(turns), rowid LIMIT ?",
  );
  return (question, limit) => {
    const words = question.match(/[\p{L}\p{N}]+/gu) ?? [];
    if (words.length === 0) return [];
    const query = words.map((word) => `"${word}"`).join(joiner);
    return select.all(query, limit).map(({ rowid }) => turnKey(turns[Number(rowid)]));
  };
}
