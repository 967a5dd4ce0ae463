/**
 * The contract between memspool and whatever keeps its records. test/contract runs one suite
 * against every implementation; sqlite/ is the embedded one.
 *
 * In prose:
 * - `commitBatch` is one transaction: when it resolves, every item of it survives a power cut.
 * - A record is inserted if its id is absent. The same id with the same `sha256` is a duplicate
 *   (nothing changes); with another it is a conflict. The same `(project, idempotency_key)` with
 *   the same hash is a duplicate of the record that is there, and the new id becomes an alias of
 *   it; with another hash it is a conflict. A conflict changes nothing and is no error. The same
 *   rules hold between items of one batch, in their order.
 * - `recordJson` is kept as text and is the truth: what was captured comes back equal. Columns to
 *   filter by hold each string's escaped form (as inside JSON), because databases cut or change
 *   U+0000 and lone surrogates.
 * - What was forgotten does not come back: forgetting.ts.
 * - Failures are MemspoolErrors: STORE_UNAVAILABLE (busy, full, read-only, damaged, away: the
 *   records are not at fault), STORE_REFUSED (this batch holds a record that can never be stored),
 *   STORE_TOO_NEW. Messages hold no record text and no driver text.
 */
import type { MemoryRecord } from "../record/memory-record.ts";
import type { ExportQuery, ExportRow, StoreCopyOptions } from "./copy-types.ts";
import type { ForgettingStore, MatchingQuery } from "./forgetting.ts";
import type { RenewingStore } from "./index-renewal.ts";

export type { ExportQuery, ExportRow, StoreCopyOptions } from "./copy-types.ts";

/** An envelope on its way into the store. */
export interface CommitItem {
  readonly ulid: string;
  /** ISO 8601. */
  readonly appendedAt: string;
  /** Of `record.surface`, see record/content-hash. */
  readonly sha256: string;
  readonly record: MemoryRecord;
  /** `JSON.stringify(record)`. */
  readonly recordJson: string;
}

export type ConflictCode = "ULID_CONFLICT" | "IDEMPOTENCY_CONFLICT";

export interface CommitResult {
  readonly inserted: readonly string[];
  /** `of` equals `ulid` when the very id was there already. */
  readonly duplicates: readonly { readonly ulid: string; readonly of: string }[];
  readonly conflicts: readonly {
    readonly ulid: string;
    readonly code: ConflictCode;
    readonly existing: string;
  }[];
  /** Not taken in, because they were forgotten. */
  readonly forgotten: readonly string[];
}

/** A record as it lies in the store. */
export interface StoredRecord {
  readonly ulid: string;
  /** ISO 8601. */
  readonly appendedAt: string;
  readonly sha256: string;
  readonly record: MemoryRecord;
  /** ISO 8601. */
  readonly ingestedAt: string;
  /** Place in its session, from 1; 0 without a session. */
  readonly turn: number;
  /** The newest record that names this one in `supersedes`. */
  readonly supersededBy?: string;
}

/** A record with what the scorer needs to know of its text. */
export interface MeasuredRecord extends StoredRecord {
  /** Index terms of its text, repeats counted. */
  readonly termCount: number;
}

/** Which records a question is about. Absent fields do not restrict. Times include both ends. */
export interface RecordFilter {
  /** Any of these projects; `""` means records without one. */
  readonly projects?: readonly string[];
  readonly sessionId?: string;
  readonly role?: string;
  readonly tier?: string;
  readonly source?: string;
  /** All of these tags. */
  readonly tags?: readonly string[];
  /** Of `occurred_at`, else `appended_at`; milliseconds since 1970. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Ids that are left out: they are being forgotten. */
  readonly excluded?: readonly string[];
}

export interface CandidateQuery {
  /** Distinct index terms of the question (text/question). */
  readonly terms: readonly string[];
  readonly filter: RecordFilter;
  /** At most this many candidates, the best by the store's own estimate. */
  readonly countMax: number;
  /** Ignore records whose id is greater: a page stays a page while records arrive. */
  readonly ulidMax?: string;
}

/** What the shared scorer needs to rank the candidates as BM25 over the whole store would. */
export interface CandidateSet {
  readonly candidates: readonly MeasuredRecord[];
  /** Greatest id in the store; "" when it is empty. */
  readonly newest: string;
  readonly recordCount: number;
  /** Index terms a record has on average. */
  readonly termCountMean: number;
  /** Term → number of records that hold it, one entry a query term. */
  readonly documentFrequency: Readonly<Record<string, number>>;
}

export interface NeighbourQuery {
  /** Records with a session; others have no neighbours. At most 100. */
  readonly ulids: readonly string[];
  /** Turns before and behind each, of the same session and project. */
  readonly before: number;
  readonly behind: number;
}

export interface NeighbourSet {
  /** Each once, also when it stands beside several. */
  readonly records: readonly MeasuredRecord[];
  /** Who stands how many places behind whom; before it where `offset` is negative. */
  readonly links: readonly {
    readonly of: string;
    readonly ulid: string;
    readonly offset: number;
  }[];
}

export interface TimelineQuery {
  readonly filter: RecordFilter;
  readonly limit: number;
  /** Continue behind this record (exclusive) in the listing's order. */
  readonly after?: { readonly atMs: number; readonly ulid: string };
  /** Leave out records whose id is greater. */
  readonly ulidMax?: string;
  /** Newest first unless "oldest". */
  readonly order?: "newest" | "oldest";
}

export type FacetKind = "projects" | "sessions" | "tags";

export interface Facet {
  readonly name: string;
  readonly count: number;
  /** ISO 8601, of the newest record. */
  readonly lastAt: string;
}

export interface StoreStats {
  readonly kind: "sqlite" | "postgres";
  readonly records: number;
  readonly aliases: number;
  readonly bytes: number;
  readonly schemaVersion: number;
  readonly engineVersion: string;
}

/** Where an id is, for a receipt. */
export type StoreLookup =
  | { readonly state: "ingested"; readonly sha256: string; readonly appendedAt: string }
  | {
      readonly state: "duplicate";
      readonly of: string;
      readonly sha256: string;
      readonly appendedAt: string;
    }
  | {
      readonly state: "forgotten";
      /** ISO 8601. */
      readonly forgottenAt: string;
      readonly reason: string;
    };

export interface StoreCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** What is wrong with a row; the first that applies. */
export type RowFault =
  /** Its JSON is no record. */
  | "not_a_record"
  /** The text does not have the row's hash. */
  | "text_changed"
  /** A column to filter by, a tag or the number of terms is not what follows from the record. */
  | "columns_differ"
  /** Looked for by its id, its time or its project, it is not found. */
  | "not_found"
  /** The index does not hold the row, or holds another number of terms for it. */
  | "not_indexed"
  /** An alias of a record that is not there, or has another hash. */
  | "alias_of_nothing";

/** One id that the store knows. */
export interface AuditedEntry {
  readonly ulid: string;
  readonly kind: "record" | "alias" | "tombstone";
  /** Absent when sound, or not looked at. */
  readonly fault?: RowFault;
}

export interface AuditRowsQuery {
  /** `next` of the page before. */
  readonly after?: string;
  readonly limit: number;
  /** Whether rows are looked at, some 25 µs each; otherwise only their ids are listed. */
  readonly hashes: boolean;
}

export interface AuditRowsPage {
  readonly entries: readonly AuditedEntry[];
  /** Absent behind the last entry. A page may be empty and have a next one. */
  readonly next?: string;
}

/** Counted anew, beside what is kept as a total. */
export interface AuditCounts {
  readonly records: number;
  readonly aliases: number;
  /** Rows that the index holds. */
  readonly indexed: number;
  /** Tags of records that the index does not hold. */
  readonly strayTags: number;
  readonly totalRecords: number;
  readonly totalAliases: number;
}

/** `count` rows from the `first`th on, of `of` rows spread evenly over the store. */
export interface AuditIndexQuery {
  readonly of: number;
  readonly first: number;
  readonly count: number;
}

export interface AuditIndexResult {
  readonly sampled: number;
  /** Sampled rows that the index does not find by some of their own terms, and by how many. */
  readonly faults: readonly { readonly ulid: string; readonly terms: number }[];
}

export interface MemoryStore extends ForgettingStore, RenewingStore {
  commitBatch(items: readonly CommitItem[]): Promise<CommitResult>;
  /** The record, or the one it is an alias of (its `ulid` then differs from the id asked for). */
  get(ulid: string): Promise<StoredRecord | undefined>;
  /** One entry for every id that the store knows. */
  lookup(ulids: readonly string[]): Promise<ReadonlyMap<string, StoreLookup>>;
  /** The ids, the records they stand for, and all other ids of those; what is not known is left out. */
  sameRecords(ulids: readonly string[]): Promise<readonly string[]>;
  matching(query: MatchingQuery<RecordFilter>): Promise<readonly string[]>;
  candidates(query: CandidateQuery): Promise<CandidateSet>;
  neighbours(query: NeighbourQuery): Promise<NeighbourSet>;
  /**
   * Words of indexed texts that differ from each of these by a slip or two, the likeliest first.
   * @param words folded, letters alone
   */
  spellings(words: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Ordered by `occurred_at`, else `appended_at`, then id. */
  timeline(query: TimelineQuery): Promise<readonly StoredRecord[]>;
  /** Newest first. */
  facets(kind: FacetKind, filter: RecordFilter, limit: number): Promise<readonly Facet[]>;
  stats(): Promise<StoreStats>;
  /** Cheap checks of the store's own health: settings read back, integrity within a bound. */
  check(): Promise<readonly StoreCheck[]>;
  /** Every record and alias, page by page, each row looked at by itself. Bounded in work a page. */
  auditRows(query: AuditRowsQuery): Promise<AuditRowsPage>;
  auditCounts(): Promise<AuditCounts>;
  /** Whether sampled rows are found by their own terms. About 15 ms a row. */
  auditIndex(query: AuditIndexQuery): Promise<AuditIndexResult>;
  /**
   * Copies the store as it is now into a new file, without keeping writers waiting. The copy is one
   * file, whole by itself; it is not synced.
   */
  copyTo(file: string, options?: StoreCopyOptions): Promise<void>;
  /** In the order of ids; empty behind the last. */
  exportRows(query: ExportQuery): Promise<readonly ExportRow[]>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Calls for maintenance: they may take longer than a question may. */
export type StoreMaintenance = "copyTo" | "exportRows" | keyof RenewingStore;

/** The half that answers questions; what a reader's connection offers. */
export type StoreReader = Omit<
  MemoryStore,
  "commitBatch" | keyof ForgettingStore | StoreMaintenance
>;
