/** How records are asked for and shown in lists, and what a search answers; see memory.ts. */
import type { LiftSwitches } from "./search-lifts.ts";

/** Filters as callers write them. Times are ISO 8601. */
export interface FilterInput {
  /** Absent: the current project and records without one. `"*"`: everything. */
  project?: string | undefined;
  session_id?: string | undefined;
  role?: string | undefined;
  tier?: string | undefined;
  source?: string | undefined;
  tags?: readonly string[] | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

/** A record without its full text. */
export interface RecordSummary {
  ulid: string;
  /** `occurred_at`, else `appended_at`. */
  at: string;
  project?: string;
  session_id?: string;
  role?: string;
  tier: string;
  source?: string;
  tags?: string[];
  snippet: string;
  /** UTF-16 code units of the whole text. */
  total_chars: number;
  state: "pending" | "spilled" | "ingested";
  superseded_by?: string;
}

/** What an answer could not look at, if anything. */
export interface Completeness {
  /** Pending and spilled records that were not looked at: beyond a bound, or unreadable. */
  unsearched?: number;
  /** Why ingested records are missing from this answer. */
  store_error?: { code: string; message: string; retryable: boolean };
}

export interface SearchInput extends FilterInput {
  query: string;
  limit?: number | undefined;
  cursor?: string | undefined;
  /** Turns of the session to show before and after each hit, at most CONTEXT_TURNS_MAX. */
  context?: number | undefined;
  /** Adds to each hit why it stands where it does. */
  explain?: boolean | undefined;
  /** Steps of the ranking to switch off, for measuring them. */
  lifts?: LiftSwitches | undefined;
}

export interface SearchHit extends RecordSummary {
  score: number;
  /** What was said before and after it, when asked for. */
  before?: ContextTurn[];
  after?: ContextTurn[];
  explain?: HitExplanation;
}

/** A turn beside a hit. */
export type ContextTurn = Pick<
  RecordSummary,
  "ulid" | "at" | "role" | "source" | "snippet" | "total_chars"
>;

export interface HitExplanation {
  /** The sum over the words. */
  bm25: number;
  /** Words of the question that the text holds, and what each adds. */
  words: { word: string; score: number; stop_word?: boolean; spelled_as?: string[] }[];
  /** Words that it does not hold. */
  missing?: string[];
  /** Name of each step that changed the score → its factor, or what date or neighbours added. */
  steps: Record<string, number>;
  /** Dates that were found in the question. */
  dates?: number;
}

export interface SearchResult extends Completeness {
  results: SearchHit[];
  next_cursor?: string;
}
