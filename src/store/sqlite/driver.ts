/**
 * The thin adapter to the SQLite binding: the only file that names the package. What is used is the
 * API of node:sqlite, so the built-in module can take its place.
 */
import { DatabaseSync } from "@photostructure/sqlite";

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
