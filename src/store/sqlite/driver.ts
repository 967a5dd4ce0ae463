/**
 * The thin adapter to the SQLite binding: the only file that names the package. What is used is the
 * API of node:sqlite, so the built-in module can take its place.
 *
 * Does not guarantee that `close` lets go of the file: this binding finalises a statement only when it
 * is collected as garbage, and SQLite keeps the connection's descriptors until then. That is harmless
 * (measured: a thousand reopened connections held 200 descriptors at most), but the log is not
 * copied into the database by closing, which connection.ts therefore does itself.
 */
import { backup, DatabaseSync } from "@photostructure/sqlite";

export type SqlValue = string | number | bigint | null;
export type SqlRow = Readonly<Record<string, unknown>>;

export interface Statement {
  run(...values: SqlValue[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  get(...values: SqlValue[]): SqlRow | undefined;
  all(...values: SqlValue[]): SqlRow[];
  iterate(...values: SqlValue[]): IterableIterator<SqlRow>;
}

export interface Database {
  readonly isOpen: boolean;
  /** True between BEGIN and COMMIT or ROLLBACK. */
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/**
 * Opens a connection. Guarantees nothing of its settings but the busy timeout; connection.ts does.
 * @param busyTimeoutMs how long SQLite itself waits for a lock
 */
export function openDatabase(file: string, busyTimeoutMs: number): Database {
  return new DatabaseSync(file, { timeout: busyTimeoutMs, defensive: true });
}

/** Opens a database that is there, and makes no file beside it unless it has a log already. */
export function openDatabaseToRead(file: string): Database {
  return new DatabaseSync(file, { readOnly: true, defensive: true });
}

/**
 * Copies every page into another file (https://sqlite.org/backup.html), in steps between which this
 * thread goes on. Starts anew whenever somebody else writes, unless the connection is in a read
 * transaction. What `onProgress` throws ends it.
 * @returns pages that were copied
 */
export async function copyPages(
  db: Database,
  to: string,
  { stepPages, onProgress }: CopyPagesOptions,
): Promise<number> {
  let stopped: { readonly error: unknown } | undefined;
  try {
    return await backup(db as Parameters<typeof backup>[0], to, {
      rate: stepPages,
      progress: ({ totalPages, remainingPages }) => {
        try {
          onProgress(totalPages - remainingPages, totalPages);
        } catch (error) {
          stopped = { error };
          throw error;
        }
      },
    });
  } catch (error) {
    // The binding makes an error of its own of what the callback throws.
    throw stopped === undefined ? error : stopped.error;
  }
}

export interface CopyPagesOptions {
  readonly stepPages: number;
  readonly onProgress: (donePages: number, totalPages: number) => void;
}

/**
 * SQLite's own texts for result codes (sqlite3_errstr), which name no data. This binding gives no code
 * with what `all` and `iterate` throw, so there, and only there, the text has to tell.
 */
const CODE_OF_TEXT: readonly [text: RegExp, code: number][] = [
  [/^access permission denied/, 3],
  [/^database is locked/, 5],
  [/^database table is locked/, 6],
  [/^out of memory/, 7],
  [/^attempt to write a readonly database/, 8],
  [/^disk I\/O error/, 10],
  [/^database disk image is malformed|^fts5: corrupt/, 11],
  [/^database or disk is full/, 13],
  [/^unable to open database file/, 14],
  [/^locking protocol/, 15],
  [/^string or blob too big/, 18],
  [/^file is not a database/, 26],
];

/** The primary result code (https://sqlite.org/rescode.html) of an error that SQLite gave. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_SQLITE_ERROR") {
    return undefined;
  }
  // The low byte of the extended code.
  if ("errcode" in error && typeof error.errcode === "number") return error.errcode & 0xff;
  return CODE_OF_TEXT.find(([text]) => text.test(error.message))?.[1];
}
