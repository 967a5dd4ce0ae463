/**
 * The old database while a new one is written beside it: locked against commits, opened to read.
 *
 * Guarantees: nobody else commits to it until `release`, if SQLite can lock it at all; readers go
 * on. Its rows are read by a connection that can not write. What can not be opened as a database is
 * left as it is. An empty file with a log beside it is not opened: SQLite would remove the log.
 */
import { MemspoolError } from "../../errors.ts";
import type { FileIdentity } from "../../platform/durable-fs.ts";
import { type DurableFsSync, factsIfThere } from "../../platform/durable-fs-sync.ts";
import type { OldStore } from "../rebuild-store.ts";
import { type BusyRetry, retryWhileBusy } from "./busy-retry.ts";
import { BUSY_TIMEOUT_MS } from "./connection.ts";
import { identityOf, refuseSymlinks } from "./database-file.ts";
import { type Database, openDatabase, openDatabaseToRead } from "./driver.ts";
import { storeError, unavailable, unavailableReason } from "./errors.ts";
import { Salvage } from "./salvage.ts";
import { APPLICATION_ID, pragma, SCHEMA_VERSION } from "./schema.ts";

/** Of an opening: the file is damaged or no database, which is why it is rebuilt. */
const UNREADABLE = new Set(["corrupt", "notadb", "ioerr"]);

export class OldDatabase {
  readonly store: OldStore;
  readonly #fs: DurableFsSync;
  readonly #file: string;
  readonly #identity: FileIdentity | undefined;
  readonly #isEmpty: boolean;
  #open: readonly Database[];

  /** @throws MemspoolError STORE_TOO_NEW, STORE_UNAVAILABLE (busy, perm, …), UNSAFE_PATH */
  static async lock(fs: DurableFsSync, file: string, retry: BusyRetry): Promise<OldDatabase> {
    refuseSymlinks(fs, file);
    const identity = identityOf(fs, file);
    const facts = factsIfThere(fs, file);
    if (facts === undefined) return new OldDatabase(fs, file, identity, nothing("absent"), []);
    const isEmpty = facts.kind === "file" && facts.bytes === 0;
    const unreadable = () =>
      new OldDatabase(fs, file, identity, nothing("unreadable"), [], isEmpty);
    if (facts.kind !== "file" || isEmpty) return unreadable();
    const open: Database[] = [];
    try {
      const lock = openDatabase(file, BUSY_TIMEOUT_MS);
      open.push(lock);
      // Held to the end: an ingester that was stopped while it led, and goes on now, can not commit
      // what we would not see; its batch stays in the queue.
      await retryWhileBusy(
        () => begin(lock),
        retry,
        () => false,
      );
      refuseTooNew(lock);
      const reader = openDatabaseToRead(file);
      open.push(reader);
      reader.exec("PRAGMA cell_size_check = ON");
      return new OldDatabase(fs, file, identity, new Salvage(reader), open);
    } catch (error) {
      for (const db of open) close(db);
      const failure = storeError(error);
      if (UNREADABLE.has(unavailableReason(failure) ?? "")) return unreadable();
      throw failure;
    }
  }

  private constructor(
    fs: DurableFsSync,
    file: string,
    identity: FileIdentity | undefined,
    store: OldStore,
    open: readonly Database[],
    isEmpty = false,
  ) {
    this.#fs = fs;
    this.#file = file;
    this.#identity = identity;
    this.store = store;
    this.#open = open;
    this.#isEmpty = isEmpty;
  }

  /**
   * @throws MemspoolError STORE_UNAVAILABLE if another file took its place meanwhile, or if it was
   *   empty, so that it could not be locked, and is not any more
   */
  requireUnchanged(): void {
    const now = identityOf(this.#fs, this.#file);
    const isSame = now?.ino === this.#identity?.ino && now?.dev === this.#identity?.dev;
    const wasFilled = this.#isEmpty && factsIfThere(this.#fs, this.#file)?.bytes !== 0;
    if (!isSame || wasFilled) throw unavailable("replaced");
  }

  /** Idempotent. */
  release(): void {
    for (const db of this.#open) close(db);
    this.#open = [];
  }
}

function begin(db: Database): void {
  try {
    db.exec("BEGIN IMMEDIATE");
  } catch (error) {
    throw storeError(error);
  }
}

function refuseTooNew(db: Database): void {
  const version = pragma(db, "user_version");
  if (pragma(db, "application_id") !== APPLICATION_ID) {
    const { n } = db
      .prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = ?")
      .get("records") ?? { n: 0 };
    if (n === 0) throw unavailable("foreign");
  }
  if (version <= SCHEMA_VERSION) return;
  throw new MemspoolError(
    "STORE_TOO_NEW",
    `The store has schema version ${version}; this memspool knows versions up to ` +
      `${SCHEMA_VERSION}. Upgrade memspool; the store was not touched.`,
    { details: { schema_version: version, supported_version: SCHEMA_VERSION } },
  );
}

function nothing(state: "absent" | "unreadable"): OldStore {
  return {
    state,
    totals: undefined,
    rows: () => [],
    aliases: () => [],
    tombstones: () => [],
    ids: () => [],
    idsKnown: () => "none",
    damaged: () => state === "unreadable",
  };
}

/** Closing ends the transaction, which wrote nothing. */
function close(db: Database): void {
  try {
    if (db.isTransaction) db.exec("ROLLBACK");
  } catch {
    // A damaged database may report the damage once more.
  }
  try {
    if (db.isOpen) db.close();
  } catch {
    // as above
  }
}
