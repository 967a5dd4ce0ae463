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
 * - Failures are MemspoolErrors: STORE_UNAVAILABLE (busy, full, read-only, damaged, away: the
 *   records are not at fault), STORE_REFUSED (this batch holds a record that can never be stored),
 *   STORE_TOO_NEW. Messages hold no record text and no driver text.
 */
import type { MemoryRecord } from "../record/memory-record.ts";

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
}

export interface CandidateQuery {
  /** Distinct index terms of the question (text/terms), at most 64. */
  readonly terms: readonly string[];
  readonly filter: RecordFilter;
  /** At most this many candidates, the best by the store's own estimate. */
  readonly countMax: number;
  /** Ignore records whose id is greater: a page stays a page while records arrive. */
  readonly ulidMax?: string;
}

/** What the shared scorer needs to rank the candidates as BM25 over the whole store would. */
export interface CandidateSet {
  readonly candidates: readonly StoredRecord[];
  readonly recordCount: number;
  /** Index terms a record has on average. */
  readonly termCountMean: number;
  /** Term → number of records that hold it, one entry a query term. */
  readonly documentFrequency: Readonly<Record<string, number>>;
}

export interface TimelineQuery {
  readonly filter: RecordFilter;
  readonly limit: number;
  /** Continue behind this record (exclusive) in the listing's order. */
  readonly after?: { readonly atMs: number; readonly ulid: string };
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
    };

export interface StoreCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface MemoryStore {
  commitBatch(items: readonly CommitItem[]): Promise<CommitResult>;
  /** The record, or the one it is an alias of (its `ulid` then differs from the id asked for). */
  get(ulid: string): Promise<StoredRecord | undefined>;
  /** One entry for every id that the store knows. */
  lookup(ulids: readonly string[]): Promise<ReadonlyMap<string, StoreLookup>>;
  candidates(query: CandidateQuery): Promise<CandidateSet>;
  /** Ordered by `occurred_at`, else `appended_at`, then id. */
  timeline(query: TimelineQuery): Promise<readonly StoredRecord[]>;
  /** Newest first. */
  facets(kind: FacetKind, filter: RecordFilter, limit: number): Promise<readonly Facet[]>;
  stats(): Promise<StoreStats>;
  /** Cheap checks of the store's own health: settings read back, integrity within a bound. */
  check(): Promise<readonly StoreCheck[]>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** The half that answers questions; what a reader's connection offers. */
export type StoreReader = Omit<MemoryStore, "commitBatch">;
