/** Ways to a SQLite store for tests that look beneath the contract. */
import { join } from "node:path";
import { DatabaseSync, type DatabaseSyncInstance } from "@photostructure/sqlite";
import { onTestFinished } from "vitest";
import { silentEvents } from "../../src/events/catalogue.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { Connection, type ConnectionOptions } from "../../src/store/sqlite/connection.ts";
import { SqliteStore, type SqliteStoreOptions } from "../../src/store/sqlite/sqlite-store.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

/** Where a data directory keeps its store; nothing is there yet. */
export function freshStoreFile(): string {
  return join(freshDirectory(), "store", "memspool.db");
}

export async function openSqlite(
  file: string,
  options: Partial<SqliteStoreOptions> = {},
): Promise<SqliteStore> {
  const store = await SqliteStore.open({
    file,
    readOnly: false,
    events: silentEvents,
    clock: systemClock,
    ...options,
  });
  onTestFinished(() => store.close());
  return store;
}

export function connect(file: string, options: Partial<ConnectionOptions> = {}): Connection {
  const connection = new Connection({ file, readOnly: false, ...options });
  onTestFinished(() => connection.close());
  return connection;
}

/** The database as any other program would open it, none of our settings applied. */
export function openRaw(file: string): DatabaseSyncInstance {
  const db = new DatabaseSync(file);
  onTestFinished(() => {
    if (db.isOpen) db.close();
  });
  return db;
}

export function firstValue(db: { prepare(sql: string): { get(): unknown } }, sql: string): unknown {
  return Object.values(db.prepare(sql).get() as object)[0];
}
