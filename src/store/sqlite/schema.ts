/**
 * The tables, and the steps that lead to them.
 *
 * Guarantees: steps run forward only, all missing ones in one transaction, once, whichever of
 * several processes comes first. A database of a newer memspool is left alone (STORE_TOO_NEW), and
 * so is one of another program (`foreign`). A database is ours by its application_id and its
 * version is SQLite's user_version.
 */
import { MemspoolError } from "../../errors.ts";
import { TERM_PUNCTUATION } from "../../text/character-classes.ts";
import { TEXT_PIPELINE_VERSION } from "../../text/terms.ts";
import type { Database } from "./driver.ts";
import { unavailable } from "./errors.ts";

/** "MSPL" as a number. */
export const APPLICATION_ID = 0x4d53504c;

/**
 * Step n leads from version n to n + 1. A released step is never changed.
 *
 * `records.record` is the truth; every other column is derived from it, to filter and join by. Text
 * columns hold the escaped form. `turn` is the place in the session, in the order of arrival.
 * The index is contentless: it keeps postings and lengths, the texts are in `records`. It is filled
 * by INSERTs of ours (a trigger halves the speed) with terms that text/terms.ts made, and the ascii
 * tokenizer only takes them apart again: it leaves all characters beyond ASCII alone.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('text_pipeline_version', '${TEXT_PIPELINE_VERSION}');

  CREATE TABLE totals (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    records INTEGER NOT NULL,
    terms INTEGER NOT NULL,
    aliases INTEGER NOT NULL
  ) STRICT;
  INSERT INTO totals VALUES (1, 0, 0, 0);

  CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    ulid TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    appended_at TEXT NOT NULL,
    ingested_at TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    term_count INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    project TEXT NOT NULL,
    session_id TEXT,
    role TEXT,
    tier TEXT NOT NULL,
    source TEXT,
    idempotency_key TEXT,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX records_at ON records (at_ms, ulid);
  CREATE INDEX records_project_at ON records (project, at_ms, ulid);
  CREATE UNIQUE INDEX records_session_turn ON records (session_id, project, turn)
    WHERE session_id IS NOT NULL;
  CREATE UNIQUE INDEX records_idempotency ON records (project, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

  CREATE TABLE record_tags (
    tag TEXT NOT NULL,
    record_id INTEGER NOT NULL REFERENCES records (id),
    PRIMARY KEY (tag, record_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE supersessions (
    target TEXT NOT NULL,
    by_ulid TEXT NOT NULL,
    PRIMARY KEY (target, by_ulid)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE aliases (
    ulid TEXT PRIMARY KEY,
    of TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    appended_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE VIRTUAL TABLE records_fts USING fts5 (
    terms, content = '', contentless_delete = 1,
    tokenize = "ascii tokenchars '${TERM_PUNCTUATION}'"
  );
  INSERT INTO records_fts (records_fts, rank) VALUES ('automerge', 16);
  CREATE VIRTUAL TABLE records_vocab USING fts5vocab (records_fts, 'row');
  `,
  // Words of all texts, once each, for questions that are misspelt; \`tail\` is their ending.
  `
  CREATE TABLE words (word TEXT PRIMARY KEY, tail TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX words_tail ON words (tail);
  `,
  // What was forgotten: ids and no content. `replay_hash` recognises the same turn under a new id.
  `
  CREATE TABLE tombstones (
    ulid TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    forgotten_at TEXT NOT NULL,
    reason TEXT NOT NULL,
    replay_hash TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tombstones_request ON tombstones (request);
  CREATE INDEX tombstones_replay ON tombstones (replay_hash) WHERE replay_hash IS NOT NULL;
  CREATE INDEX aliases_of ON aliases (of);
  CREATE INDEX supersessions_by ON supersessions (by_ulid);
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

const TABLES = [
  "meta",
  "totals",
  "records",
  "record_tags",
  "supersessions",
  "aliases",
  "records_fts",
  "words",
  "tombstones",
];

/**
 * Brings the database to this program's schema.
 * @throws MemspoolError STORE_TOO_NEW, STORE_UNAVAILABLE; driver errors as they are
 */
export function migrate(db: Database): void {
  if (versionOf(db) < SCHEMA_VERSION) {
    db.exec("BEGIN IMMEDIATE");
    try {
      // Read again: another process may have done it while we waited for the lock.
      for (let version = versionOf(db); version < SCHEMA_VERSION; version++) {
        db.exec(MIGRATIONS[version] as string);
      }
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`);
      db.exec("COMMIT");
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      throw error;
    }
  }
  requireTables(db);
}

/** @throws MemspoolError STORE_TOO_NEW, or STORE_UNAVAILABLE for a database that is not ours */
function versionOf(db: Database): number {
  const version = pragma(db, "user_version");
  const owner = pragma(db, "application_id");
  const tables = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get();
  if (owner !== APPLICATION_ID && (owner !== 0 || version !== 0 || tables?.n !== 0)) {
    throw unavailable("foreign");
  }
  if (version > SCHEMA_VERSION) {
    throw new MemspoolError(
      "STORE_TOO_NEW",
      `The store has schema version ${version}; this memspool knows versions up to ` +
        `${SCHEMA_VERSION}. Upgrade memspool; the store was not touched.`,
      { details: { schema_version: version, supported_version: SCHEMA_VERSION } },
    );
  }
  return version;
}

function requireTables(db: Database): void {
  const rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  const present = new Set(rows.map((row) => row.name));
  const missing = TABLES.filter((table) => !present.has(table));
  if (missing.length > 0) throw unavailable("schema", { details: { missing: missing.join(" ") } });
}

/** An integer pragma's value. */
export function pragma(db: Database, name: string): number {
  const row = db.prepare(`PRAGMA ${name}`).get();
  return Number(row === undefined ? Number.NaN : Object.values(row)[0]);
}
