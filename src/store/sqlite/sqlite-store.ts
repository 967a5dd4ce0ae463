/**
 * MemoryStore on SQLite: the facade. What the calls mean is said in ../memory-store.ts.
 *
 * Guarantees: every call opens its connection if there is none, so that a store which was away
 * (a full disk, a damaged file that has been moved) works again without a restart; a connection that
 * failed in a way it may not recover from is closed. Calls do not overlap: each runs to its end in
 * one go on this thread, which therefore must not be the one that talks to a client.
 */
import { statSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Events } from "../../events/catalogue.ts";
import type { Clock } from "../../platform/clock.ts";
import type { DurableFsSync } from "../../platform/durable-fs-sync.ts";
import type {
  ExpiredQuery,
  ForgetOrder,
  ForgetOutcome,
  MatchingQuery,
  OrderTraces,
  ScrubOptions,
  ScrubOutcome,
} from "../forgetting.ts";
import type { RenewalStep } from "../index-renewal.ts";
import type {
  AuditCounts,
  AuditIndexQuery,
  AuditIndexResult,
  AuditRowsPage,
  AuditRowsQuery,
  CandidateQuery,
  CandidateSet,
  CommitItem,
  CommitResult,
  ExportQuery,
  ExportRow,
  Facet,
  FacetKind,
  MemoryStore,
  NeighbourQuery,
  NeighbourSet,
  RecordFilter,
  StoreCheck,
  StoreCopyOptions,
  StoredRecord,
  StoreLookup,
  StoreStats,
  TimelineQuery,
} from "../memory-store.ts";
import { auditCounts, auditIndex, auditRows } from "./audit-rows.ts";
import { copyDatabase } from "./backup.ts";
import { BUSY_RETRY, type BusyRetry, retryWhileBusy } from "./busy-retry.ts";
import { checkConnection } from "./check.ts";
import { commitItems } from "./commit.ts";
import { Connection } from "./connection.ts";
import { storeError, unavailable, unavailableReason } from "./errors.ts";
import { expiredIds } from "./expired.ts";
import { readExportRows } from "./export-rows.ts";
import { forgetRecords, matchingIds, sameRecords, tracesOf } from "./forget.ts";
import { FrequencyCache } from "./frequencies.ts";
import { findNeighbours } from "./neighbours.ts";
import { prepareItem } from "./prepared-item.ts";
import { getRecord, lookUp, readFacets, readTimeline } from "./read.ts";
import { renewIndex } from "./renew-index.ts";
import { pragma } from "./schema.ts";
import { isScrubDue, SCRUB_START, type ScrubState, scrubStep } from "./scrub.ts";
import { findCandidates } from "./search.ts";
import { findSpellings } from "./spellings.ts";

export interface SqliteStoreOptions {
  readonly file: string;
  readonly readOnly: boolean;
  readonly events: Events;
  readonly clock: Clock;
  /** Seams and limits that tests shrink. */
  readonly busyTimeoutMs?: number | undefined;
  readonly busyRetry?: BusyRetry | undefined;
  readonly fs?: DurableFsSync | undefined;
}

/** After these the connection may still be good: the fault lies with others, or passes. */
const KEEPS_CONNECTION = new Set(["busy", "locked", "protocol", "full", "nomem"]);

export class SqliteStore implements MemoryStore {
  readonly #options: SqliteStoreOptions;
  #connection: Connection | undefined;
  #frequencies = new FrequencyCache();
  #closed = false;
  /** Of a scrub that a reader held up. */
  #isLogLeft = false;

  /** Rejects if the store can not be opened now; the constructor alone touches nothing. */
  static async open(options: SqliteStoreOptions): Promise<SqliteStore> {
    const store = new SqliteStore(options);
    await store.#use(() => undefined);
    return store;
  }

  private constructor(options: SqliteStoreOptions) {
    this.#options = options;
  }

  async commitBatch(items: readonly CommitItem[]): Promise<CommitResult> {
    if (this.#options.readOnly) throw new TypeError("this store was opened to read");
    if (items.length === 0) return { inserted: [], duplicates: [], conflicts: [], forgotten: [] };
    const prepared = items.map(prepareItem);
    return await this.#use((connection) => {
      const ingestedAt = new Date(this.#options.clock.nowMs()).toISOString();
      return connection.write(() => commitItems(connection, prepared, ingestedAt));
    });
  }

  async forget(order: ForgetOrder): Promise<ForgetOutcome> {
    this.#isLogLeft = false;
    return await this.#use((connection) => {
      connection.db.exec("PRAGMA secure_delete = ON");
      return connection.write(() => forgetRecords(connection, order));
    });
  }

  async tracesOf(request: string): Promise<OrderTraces> {
    return await this.#use((connection) => tracesOf(connection, request));
  }

  async scrub({ isStopping }: ScrubOptions): Promise<ScrubOutcome> {
    if (!(await this.#use(isScrubDue))) return "clean";
    // Only the log was left: doing the rest once more would make it longer each time.
    let state: ScrubState = this.#isLogLeft ? { phase: "checkpoint" } : SCRUB_START;
    while (state.phase !== "done" && state.phase !== "blocked") {
      if (isStopping()) return "stopped";
      const before = state;
      state = await this.#use((connection) => scrubStep(connection, before));
      await nextTurn();
    }
    this.#isLogLeft = state.phase === "blocked";
    return state.phase === "done" ? "clean" : "blocked";
  }

  async expired(query: ExpiredQuery): Promise<readonly string[]> {
    return await this.#use((connection) => expiredIds(connection, query));
  }

  async renewIndex(): Promise<RenewalStep> {
    return await this.#use((connection) => renewIndex(connection));
  }

  async get(ulid: string): Promise<StoredRecord | undefined> {
    return await this.#use((connection) => getRecord(connection, ulid));
  }

  async lookup(ulids: readonly string[]): Promise<ReadonlyMap<string, StoreLookup>> {
    return await this.#use((connection) => lookUp(connection, ulids));
  }

  async sameRecords(ulids: readonly string[]): Promise<readonly string[]> {
    return await this.#use((connection) => sameRecords(connection, ulids));
  }

  async matching(query: MatchingQuery<RecordFilter>): Promise<readonly string[]> {
    return await this.#use((connection) => matchingIds(connection, query));
  }

  async candidates(query: CandidateQuery): Promise<CandidateSet> {
    return await this.#use((connection) => findCandidates(connection, this.#frequencies, query));
  }

  async neighbours(query: NeighbourQuery): Promise<NeighbourSet> {
    return await this.#use((connection) => findNeighbours(connection, query));
  }

  async spellings(words: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    return await this.#use((connection) => findSpellings(connection, words));
  }

  async timeline(query: TimelineQuery): Promise<readonly StoredRecord[]> {
    return await this.#use((connection) => readTimeline(connection, query));
  }

  async facets(kind: FacetKind, filter: RecordFilter, limit: number): Promise<readonly Facet[]> {
    return await this.#use((connection) => readFacets(connection, kind, filter, limit));
  }

  async stats(): Promise<StoreStats> {
    return await this.#use((connection) => {
      const totals = connection.statement("SELECT records, aliases FROM totals").get();
      return {
        kind: "sqlite",
        records: totals?.records as number,
        aliases: totals?.aliases as number,
        bytes: sizeOf(connection.file) + sizeOf(`${connection.file}-wal`),
        schemaVersion: pragma(connection.db, "user_version"),
        engineVersion: connection.engineVersion,
      };
    });
  }

  async check(): Promise<readonly StoreCheck[]> {
    return await this.#use((connection) => checkConnection(connection));
  }

  async auditRows(query: AuditRowsQuery): Promise<AuditRowsPage> {
    return await this.#use((connection) => auditRows(connection, query));
  }

  async auditCounts(): Promise<AuditCounts> {
    return await this.#use(auditCounts);
  }

  async auditIndex(query: AuditIndexQuery): Promise<AuditIndexResult> {
    return await this.#use((connection) => auditIndex(connection, query));
  }

  /** On a connection of its own: calls of this store go on meanwhile. */
  async copyTo(file: string, options?: StoreCopyOptions): Promise<void> {
    await copyDatabase(this.#options, file, options);
  }

  async exportRows(query: ExportQuery): Promise<readonly ExportRow[]> {
    return await this.#use((connection) => readExportRows(connection, query));
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#options.readOnly) this.#connection?.settleLog();
    this.#disconnect();
  }

  /** @throws MemspoolError; what is not a failure of the store comes out as it is */
  async #use<T>(work: (connection: Connection) => T): Promise<T> {
    const attempt = (): T => {
      try {
        return work(this.#connect());
      } catch (error) {
        const failure = storeError(error);
        const reason = unavailableReason(failure);
        if (reason !== undefined && !KEEPS_CONNECTION.has(reason)) this.#disconnect();
        throw failure;
      }
    };
    return await retryWhileBusy(attempt, this.#options.busyRetry ?? BUSY_RETRY, () => this.#closed);
  }

  #connect(): Connection {
    if (this.#closed) throw unavailable("closed");
    // A restored or rebuilt file has taken the old one's place: its records are the ones to find.
    // Whoever writes hears of it from its commit, and must, to know that rows are gone.
    if (this.#options.readOnly && this.#connection?.isCurrent() === false) this.#disconnect();
    if (this.#connection !== undefined) return this.#connection;
    const connection = new Connection(this.#options);
    this.#connection = connection;
    this.#frequencies = new FrequencyCache();
    const { created, engineVersion } = connection;
    this.#options.events.emit("store_opened", {
      kind: "sqlite",
      engine_version: engineVersion,
      created,
    });
    return connection;
  }

  #disconnect(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#isLogLeft = false;
    try {
      connection?.close();
    } catch {
      // Closing a damaged database may report the damage again; the first report stands.
    }
  }
}

/** Bytes of a file; 0 if there is none, as with a log that was emptied into its database. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
