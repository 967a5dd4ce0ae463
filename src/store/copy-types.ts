/** What carries records out of a store: the types of memory-store.ts's copyTo and exportRows. */

export interface StoreCopyOptions {
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface ExportQuery {
  /** Records, or the ids that are duplicates of one. */
  readonly of: "records" | "aliases";
  /** Continue behind this id. */
  readonly after?: string;
  readonly countMax: number;
  /** A page ends behind the row that reaches this many UTF-16 code units of JSON. */
  readonly charsMax: number;
}

/** A record as text: nothing of it is taken apart on the way. */
export interface ExportRow {
  readonly ulid: string;
  /** ISO 8601, as the receipt of this id said. */
  readonly appendedAt: string;
  readonly sha256: string;
  /** Of an alias: the JSON of the record that it is a duplicate of. */
  readonly recordJson: string;
  readonly duplicateOf?: string;
}
