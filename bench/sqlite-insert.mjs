// What an embedded database asks for the same promise: one row in one transaction, WAL with
// synchronous=FULL, no index but the primary key.
import { DatabaseSync } from "@photostructure/sqlite";

export class SqliteAppender {
  #db;
  #insert;
  #count = 0;

  constructor(file) {
    this.#db = new DatabaseSync(file);
    this.#db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
    const { synchronous } = this.#db.prepare("PRAGMA synchronous").get();
    if (synchronous !== 2) throw new Error(`synchronous is ${synchronous}, not FULL`);
    this.#db.exec("CREATE TABLE records (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID");
    this.#insert = this.#db.prepare("INSERT INTO records VALUES (?, ?)");
  }

  append(text) {
    this.#insert.run(String(this.#count++).padStart(26, "0"), text);
  }

  close() {
    this.#db.close();
  }
}
