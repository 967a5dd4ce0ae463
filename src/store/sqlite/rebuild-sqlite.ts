/**
 * Writes a new SQLite store beside the old one, and swaps it in. See ../rebuild-store.ts.
 *
 * Guarantees: the new file is filled by the ingester's own code, checked, closed into one file
 * without a log, and synced before anything of the old one is touched; replace-database.ts does the
 * rest. New files that earlier rebuilds left behind are removed at the start, which the caller's lease
 * keeps from being somebody else's.
 */
import { dirname, join } from "node:path";
import { MemspoolError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import {
  type DurableFsSync,
  factsIfThere,
  syncDirectorySync,
  unlinkIfThere,
} from "../../platform/durable-fs-sync.ts";
import { errnoOf, isErrno } from "../../platform/errno.ts";
import type { StoredTombstone } from "../forgetting.ts";
import type { CommitResult } from "../memory-store.ts";
import type { RebuildBatch, RebuildItem, StoredAlias, StoreRebuild } from "../rebuild-store.ts";
import { BUSY_RETRY, type BusyRetry } from "./busy-retry.ts";
import { checkConnection } from "./check.ts";
import { type ArrivingItem, commitAliases, commitItems } from "./commit.ts";
import { Connection } from "./connection.ts";
import { storeError, unavailable } from "./errors.ts";
import { writeTombstone } from "./forget.ts";
import { OldDatabase } from "./old-database.ts";
import { prepareItem } from "./prepared-item.ts";
import { lookUp } from "./read.ts";
import { decideReplacement, finishReplacement, INTENT_NAME } from "./replace-database.ts";

export interface SqliteRebuildOptions {
  readonly file: string;
  readonly fs: DurableFsSync;
  readonly clock: Clock;
  /** Of waiting for another process's write. */
  readonly busyRetry?: BusyRetry;
}

/** A commit of another process takes a second at most. */
const LOCK_RETRY: BusyRetry = { ...BUSY_RETRY, attemptsMax: 8 };

export class SqliteRebuild implements StoreRebuild {
  readonly newName: string;
  readonly #options: SqliteRebuildOptions;
  readonly #stamp: string;
  readonly #oldDatabase: OldDatabase;
  readonly #connection: Connection;
  /** From here on the new file belongs to whoever opens the store. */
  #decided = false;

  /** @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW, UNSAFE_PATH */
  static async open(options: SqliteRebuildOptions): Promise<SqliteRebuild> {
    const { file, fs, busyRetry = LOCK_RETRY } = options;
    finishReplacement(fs, file);
    removeLeftovers(fs, file);
    const old = await OldDatabase.lock(fs, file, busyRetry);
    try {
      return new SqliteRebuild(options, old);
    } catch (error) {
      old.release();
      throw error;
    }
  }

  private constructor(options: SqliteRebuildOptions, old: OldDatabase) {
    this.#options = options;
    this.#oldDatabase = old;
    this.#stamp = new Date(options.clock.nowMs()).toISOString().replaceAll(/[-:.]/g, "");
    this.newName = `${nameOf(options.file)}${NEW_MIDDLE}${this.#stamp}`;
    this.#connection = new Connection({ file: this.#newFile, readOnly: false, fs: options.fs });
  }

  get old() {
    return this.#oldDatabase.store;
  }

  add(items: readonly RebuildItem[]): RebuildBatch {
    const refused: string[] = [];
    // Most of the archive is in the old rows too: what is known needs no terms.
    const known = lookUp(
      this.#connection,
      items.map(({ ulid }) => ulid),
    );
    const unknown = items.filter(({ ulid, sha256 }) => {
      const there = known.get(ulid);
      return there?.state === "forgotten" || there?.sha256 !== sha256;
    });
    const prepared = unknown.flatMap((item): ArrivingItem[] => {
      try {
        return [{ ...prepareItem(item), ingestedAt: item.ingestedAt }];
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refused.push(item.ulid);
        return [];
      }
    });
    const results = this.#commit(prepared, refused);
    const duplicates = results.reduce((sum, result) => sum + result.duplicates.length, 0);
    const forgotten = results.reduce((sum, result) => sum + result.forgotten.length, 0);
    return {
      forgotten,
      inserted: results.reduce((sum, { inserted }) => sum + inserted.length, 0),
      duplicates: items.length - unknown.length + duplicates,
      conflicts: results.flatMap(({ conflicts }) => conflicts),
      refused,
    };
  }

  addAliases(aliases: readonly StoredAlias[]): readonly StoredAlias[] {
    return this.#write(() => commitAliases(this.#connection, aliases));
  }

  addTombstones(tombstones: readonly StoredTombstone[]): void {
    this.#write(() => {
      for (const tombstone of tombstones) writeTombstone(this.#connection, tombstone);
    });
  }

  lacking(ulids: readonly string[]): string[] {
    const known = lookUp(this.#connection, ulids);
    return ulids.filter((ulid) => !known.has(ulid));
  }

  counts(): { records: number; aliases: number } {
    const totals = this.#connection.statement("SELECT records, aliases FROM totals").get();
    return { records: totals?.records as number, aliases: totals?.aliases as number };
  }

  swap(): string | undefined {
    const { fs, file } = this.#options;
    this.#oldDatabase.requireUnchanged();
    this.#complete();
    // That took a while, and where there was no database, nobody was locked out.
    this.#oldDatabase.requireUnchanged();
    const keptName = `${nameOf(file)}.before-${this.#stamp}`;
    const newIno = fs.facts(this.#newFile).ino;
    const kept = this.old.state !== "absent" || factsIfThere(fs, `${file}-wal`) !== undefined;
    decideReplacement(fs, file, { newName: this.newName, newIno, keptName });
    this.#decided = true;
    // Crash from here on: whoever opens the store next goes on.
    finishReplacement(fs, file);
    return kept ? keptName : undefined;
  }

  discard({ keep = false } = {}): void {
    this.#connection.close();
    if (this.#decided || keep) return;
    try {
      removeDatabase(this.#options.fs, this.#newFile);
    } catch (error) {
      // It stays for the next rebuild to remove; why this one ends is said already.
      if (errnoOf(error) === undefined) throw error;
    }
  }

  close(): void {
    this.#connection.close();
    this.#oldDatabase.release();
  }

  get #newFile(): string {
    return join(dirname(this.#options.file), this.newName);
  }

  /** One file, whole by itself, on disk. */
  #complete(): void {
    const { fs, file } = this.#options;
    const failed = checkConnection(this.#connection).filter(({ ok }) => !ok);
    if (failed.length > 0) {
      throw unavailable("rebuild", { details: { failed: failed.map(({ name }) => name).join() } });
    }
    // Copies the log into the database, removes it, and says so, or fails.
    const mode = this.#withErrors(
      () => this.#connection.db.prepare("PRAGMA journal_mode = DELETE").get()?.journal_mode,
    );
    this.#connection.close();
    if (mode !== "delete" || factsIfThere(fs, `${this.#newFile}-wal`) !== undefined) {
      throw unavailable("rebuild", { details: { failed: "journal_mode" } });
    }
    const fd = fs.openRead(this.#newFile);
    try {
      fs.fsync(fd);
    } finally {
      fs.close(fd);
    }
    syncDirectorySync(fs, dirname(file));
  }

  /** Halves what the store refuses until the record at fault is alone. */
  #commit(items: readonly ArrivingItem[], refused: string[]): CommitResult[] {
    const [only] = items;
    if (only === undefined) return [];
    const ingestedAt = new Date(this.#options.clock.nowMs()).toISOString();
    try {
      return [this.#write(() => commitItems(this.#connection, items, ingestedAt))];
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    if (items.length === 1) {
      refused.push(only.ulid);
      return [];
    }
    const middle = Math.ceil(items.length / 2);
    return [items.slice(0, middle), items.slice(middle)].flatMap((half) =>
      this.#commit(half, refused),
    );
  }

  #write<T>(work: () => T): T {
    return this.#withErrors(() => this.#connection.write(work));
  }

  #withErrors<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(error);
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof MemspoolError && error.code === "STORE_REFUSED";
}

const NEW_MIDDLE = ".rebuilt-";

function nameOf(file: string): string {
  return file.slice(dirname(file).length + 1);
}

function removeLeftovers(fs: DurableFsSync, file: string): void {
  const directory = dirname(file);
  for (const name of namesIn(fs, directory)) {
    const leftover = name.startsWith(`${nameOf(file)}${NEW_MIDDLE}`);
    if (leftover || name.startsWith(`${INTENT_NAME}.tmp-`))
      unlinkIfThere(fs, join(directory, name));
  }
}

function namesIn(fs: DurableFsSync, directory: string): string[] {
  try {
    return fs.names(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // no store directory yet
    throw error;
  }
}

function removeDatabase(fs: DurableFsSync, file: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) unlinkIfThere(fs, file + suffix);
}
