/**
 * One connection to the database, with the settings that the promise depends on.
 *
 * Guarantees: every connection, new or reopened, writes ahead (WAL) and syncs the log before a
 * commit returns (`synchronous = FULL`, read back: the compiled-in default of a reopened database is
 * NORMAL, which loses acknowledged commits in a power cut); SQLite waits for a lock no longer than
 * the busy timeout, so that a worker can be stopped; statements are prepared once. After a commit the
 * paths still name the database and the log that were written.
 */
import type { FileIdentity } from "../../platform/durable-fs.ts";
import { type DurableFsSync, nodeDurableFsSync } from "../../platform/durable-fs-sync.ts";
import { identityOf, prepareDatabaseFile } from "./database-file.ts";
import { type Database, openDatabase, type Statement } from "./driver.ts";
import { storeError, unavailable } from "./errors.ts";
import { finishReplacement, isBeingReplaced } from "./replace-database.ts";
import { migrate, pragma } from "./schema.ts";

/** How long SQLite itself waits for a lock; a worker inside the wait can not be stopped. */
export const BUSY_TIMEOUT_MS = 1_000;
/** The WAL-reset fault, which damages a database that several processes share, ended here. */
export const SQLITE_VERSION_MIN = "3.51.3";
export const SYNCHRONOUS_FULL = 2;

/** Pages of 4 KiB in the log before a commit copies them into the database. */
const CHECKPOINT_PAGES = 4_000;
/** What a spike may leave of the log file, in bytes. */
const LOG_BYTES_KEPT_MAX = 67_108_864;
const CACHE_KIB = 8_192;
/**
 * For questions: BM25 looks up the length of each record that it scores, in a table of 12 MB for a
 * million records. Measured there: 39 ms a word with the smaller cache, 19 with this one. Pages are
 * taken as they are read, so a small store never fills it.
 */
const READER_CACHE_KIB = 32_768;
/** The kinds of SQL are few; the bound catches a mistake. */
const STATEMENT_COUNT_MAX = 256;

export interface ConnectionOptions {
  readonly file: string;
  /** Refuses writes after the schema is in place. */
  readonly readOnly: boolean;
  readonly busyTimeoutMs?: number | undefined;
  readonly fs?: DurableFsSync | undefined;
}

export class Connection {
  readonly db: Database;
  readonly file: string;
  readonly created: boolean;
  readonly engineVersion: string;
  /** Words that this connection has put into the table of words. */
  readonly writtenWords = new Set<string>();
  readonly #fs: DurableFsSync;
  readonly #identities: Readonly<Record<"" | "-wal", FileIdentity | undefined>>;
  readonly #statements = new Map<string, Statement>();

  /**
   * Opens, creating and migrating where needed.
   * @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW, UNSAFE_PATH
   */
  constructor(options: ConnectionOptions) {
    this.#fs = options.fs ?? nodeDurableFsSync;
    this.file = options.file;
    finishReplacement(this.#fs, options.file);
    this.created = prepareDatabaseFile(this.#fs, options.file).created;
    const busyTimeoutMs = options.busyTimeoutMs ?? BUSY_TIMEOUT_MS;
    let db: Database | undefined;
    try {
      // Taken before it is opened, so that an exchange in between shows.
      const identity = identityOf(this.#fs, options.file);
      db = openDatabase(options.file, busyTimeoutMs);
      this.engineVersion = requireEngine(db);
      applySettings(db, busyTimeoutMs, options.readOnly ? READER_CACHE_KIB : CACHE_KIB);
      migrate(db);
      // SQLite keeps the log for as long as anybody is connected.
      this.#identities = { "": identity, "-wal": identityOf(this.#fs, `${options.file}-wal`) };
      this.#refuseExchanged();
      if (options.readOnly) db.exec("PRAGMA query_only = ON");
      this.db = db;
    } catch (error) {
      if (db?.isOpen) db.close();
      throw storeError(error);
    }
  }

  /** A prepared statement, kept for the connection's life. */
  statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      if (this.#statements.size >= STATEMENT_COUNT_MAX) this.#statements.clear();
      statement = this.db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs `work` on one snapshot of the database. */
  read<T>(work: () => T): T {
    return this.#transaction("BEGIN", work);
  }

  /**
   * Runs `work` in a write transaction. When this returns, its changes survive a power cut; when it
   * throws, they are gone, or, if the commit itself failed, either. IMMEDIATE, because a
   * transaction that turns from reading to writing can fail however long it waits.
   */
  write<T>(work: () => T): T {
    const result = this.#transaction("BEGIN IMMEDIATE", work);
    // Deleted or exchanged under us, the commit went into a file that nobody will find.
    if (!this.isCurrent()) {
      // If only the log's name is gone, what it holds can still be copied, and must be before the
      // next connection makes a new log beside an index of the old one.
      if (this.#isNamed("")) this.settleLog();
      throw unavailable("replaced");
    }
    return result;
  }

  /** Whether the paths still name the database and the log that this connection opened. */
  isCurrent(): boolean {
    return this.#isNamed("") && this.#isNamed("-wal");
  }

  /**
   * A database that was exchanged while it was opened may have been read beside the other one's log.
   * Nothing was written; the next try finds the new one.
   */
  #refuseExchanged(): void {
    if (this.isCurrent() && !isBeingReplaced(this.#fs, this.file)) return;
    throw unavailable("busy");
  }

  #isNamed(suffix: "" | "-wal"): boolean {
    const opened = this.#identities[suffix];
    const now = identityOf(this.#fs, this.file + suffix);
    return now?.ino === opened?.ino && now?.dev === opened?.dev;
  }

  #transaction<T>(begin: string, work: () => T): T {
    this.statement(begin).run();
    try {
      const result = work();
      this.statement("COMMIT").run();
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  #rollBack(): void {
    this.writtenWords.clear();
    try {
      // SQLite has rolled back by itself after some failures.
      if (this.db.isOpen && this.db.isTransaction) this.db.exec("ROLLBACK");
    } catch {
      // A connection that can not even roll back is closed, which does; the first error says why.
      this.close();
    }
  }

  /**
   * Copies the log into the database and empties it, as far as nobody is in the way, so that a copy
   * of the closed database's file is whole. Commits are safe without it.
   */
  settleLog(): void {
    try {
      this.db.exec("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Whatever stands in the way: the log stays and the next connection reads it.
    }
  }

  /**
   * Copies the log into the database and cuts it to nothing, now or not at all.
   * @returns whether both were done; another connection's snapshot, or its writing, is in the way
   */
  emptyLog(): boolean {
    const waitMs = pragma(this.db, "busy_timeout");
    try {
      this.db.exec("PRAGMA busy_timeout = 0");
      return this.db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.busy === 0;
    } finally {
      this.db.exec(`PRAGMA busy_timeout = ${waitMs}`);
    }
  }

  /** Idempotent. */
  close(): void {
    this.#statements.clear();
    if (this.db.isOpen) this.db.close();
  }
}

function requireEngine(db: Database): string {
  const version = String(db.prepare("SELECT sqlite_version() AS version").get()?.version);
  if (compareVersions(version, SQLITE_VERSION_MIN) < 0) {
    throw unavailable("engine", { details: { version, version_min: SQLITE_VERSION_MIN } });
  }
  return version;
}

/** Negative if `one` is older than `other`. */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [one, other].map((version) => version.split(".").map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (left?.[part] ?? 0) - (right?.[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function applySettings(db: Database, busyTimeoutMs: number, cacheKib: number): void {
  db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  const mode = db.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
  db.exec(`
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = OFF;
    PRAGMA temp_store = MEMORY;
    PRAGMA cell_size_check = ON;
    PRAGMA secure_delete = FAST;
    PRAGMA cache_size = -${cacheKib};
    PRAGMA journal_size_limit = ${LOG_BYTES_KEPT_MAX};
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
  `);
  requireSetting("journal_mode", mode, "wal");
  requireSetting("synchronous", pragma(db, "synchronous"), SYNCHRONOUS_FULL);
  requireSetting("busy_timeout", pragma(db, "busy_timeout"), busyTimeoutMs);
}

function requireSetting(name: string, value: unknown, wanted: string | number): void {
  if (value === wanted) return;
  throw unavailable("settings", {
    details: { setting: name, value: String(value), wanted: String(wanted) },
  });
}
