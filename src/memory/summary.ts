/** A record as one entry of a list: everything but the full text. Pure. */
import { SNIPPET_CHARS_MAX } from "../record/limits.ts";
import { type MemoryRecord, withDefaults } from "../record/memory-record.ts";
import { makeSnippet } from "../text/snippet.ts";
import type { RecordSummary } from "./memory.ts";

/** A record from the queue or the store, alike. */
export interface KnownRecord {
  readonly ulid: string;
  /** ISO 8601. */
  readonly appendedAt: string;
  readonly record: MemoryRecord;
  readonly state: "pending" | "spilled" | "ingested";
  readonly supersededBy?: string | undefined;
}

/** @param terms of the question, to mark in the snippet; none shows the beginning */
export function summarise(known: KnownRecord, terms: readonly string[]): RecordSummary {
  const { record } = known;
  const { project, tier } = withDefaults(record);
  return {
    ulid: known.ulid,
    at: record.occurred_at ?? known.appendedAt,
    ...(project === "" ? {} : { project }),
    ...(record.session_id === undefined ? {} : { session_id: record.session_id }),
    ...(record.role === undefined ? {} : { role: record.role }),
    tier,
    ...(record.source === undefined ? {} : { source: record.source }),
    ...(record.tags === undefined || record.tags.length === 0 ? {} : { tags: record.tags }),
    snippet: makeSnippet(record.surface, terms, SNIPPET_CHARS_MAX),
    total_chars: record.surface.length,
    state: known.state,
    ...(known.supersededBy === undefined ? {} : { superseded_by: known.supersededBy }),
  };
}
