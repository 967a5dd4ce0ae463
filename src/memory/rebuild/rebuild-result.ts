/** What `memspool rebuild` says it did: shapes of the wire, as in ../memory.ts. */

/** The first few ids, and how many there are. */
export interface NamedIds {
  count: number;
  ulids: string[];
}

export interface RebuildSource {
  /** Records that came from here. */
  records: number;
  /** Read here, and known already. */
  duplicates: number;
}

export interface RebuildResult {
  /** False after a dry run. */
  swapped: boolean;
  /** In the new store. */
  records: number;
  aliases: number;
  sources: {
    old_store: RebuildSource;
    archive: RebuildSource;
    spilled: RebuildSource;
    pending: RebuildSource;
  };
  old_store: {
    state: "absent" | "whole" | "damaged" | "unreadable";
    /** By its own totals; null if they can not be read. */
    records: number | null;
    aliases: number | null;
    /** How well its ids are known. */
    ids_known: "all" | "some" | "none";
    /** Rows that could be read and were not what had been stored. */
    unproved_rows: number;
  };
  archive: {
    files: number;
    /** Stretches that are no whole batch. */
    skipped_stretches: number;
    skipped_bytes: number;
  };
  /** Envelopes in spill or queue that could not be read; they stay where they are. */
  unread_envelopes: number;
  /** Records that were read somewhere and not taken in, because they were forgotten. */
  forgotten: number;
  /** Another text, or another idempotency key's text, under an id of these; the first was kept. */
  conflicts: NamedIds;
  /** Ids that the old store has and the new one lacks. */
  missing: NamedIds;
  /** Records that the old store counts beyond those. */
  missing_unnamed: number;
  /** Ids of the ledger that nothing brought; null when the old store's own ids are all known. */
  unaccounted: NamedIds | null;
  /** File name of the old store, beside the new one. */
  kept: string | null;
  ms: number;
}

const NAMED_ULIDS_MAX = 20;

/** Counts ids and keeps the first few. */
export class IdTally {
  #count = 0;
  readonly #ulids: string[] = [];

  add(ulids: readonly string[]): void {
    this.#count += ulids.length;
    this.#ulids.push(...ulids.slice(0, NAMED_ULIDS_MAX - this.#ulids.length));
  }

  get count(): number {
    return this.#count;
  }

  named(): NamedIds {
    return { count: this.#count, ulids: [...this.#ulids] };
  }
}
