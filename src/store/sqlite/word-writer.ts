/**
 * Keeps every word of the texts once, so that a misspelt one can be compared with them.
 *
 * Guarantees: written in the transaction of the records that hold them; a word that this connection
 * has written is not written again. Does not guarantee that each is there: one that another process
 * removed with its last record stays away until this connection is opened anew.
 */
import { mayBeMisspelt } from "../../text/spelling.ts";
import type { Connection } from "./connection.ts";
import { tailOf } from "./spellings.ts";

const REMEMBERED_COUNT_MAX = 65_536;

export class WordWriter {
  readonly #connection: Connection;
  readonly #words = new Set<string>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  add(words: Iterable<string>): void {
    const { writtenWords } = this.#connection;
    for (const word of words) if (!writtenWords.has(word)) this.#words.add(word);
  }

  write(): void {
    if (this.#words.size === 0) return;
    const known = this.#connection.writtenWords;
    const insert = this.#connection.statement(
      "INSERT OR IGNORE INTO words (word, tail) VALUES (?, ?)",
    );
    if (known.size + this.#words.size > REMEMBERED_COUNT_MAX) known.clear();
    // Sorted, because neighbours lie on one page.
    for (const word of [...this.#words].sort()) {
      if (mayBeMisspelt(word)) insert.run(word, tailOf(word));
      known.add(word);
    }
  }
}
