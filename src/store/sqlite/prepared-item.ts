/**
 * Everything about an item that can be worked out before the write lock is taken: its terms, and its
 * columns in escaped form. Pure, so that a lock is held for inserting and for nothing else.
 */
import { type MemoryRecord, timeMs } from "../../record/memory-record.ts";
import { indexedText } from "../../text/indexed-text.ts";
import { indexTermsAndWords } from "../../text/terms.ts";
import { escapeText } from "../escaped-text.ts";
import type { CommitItem } from "../memory-store.ts";
import { replayHash } from "../replay-hash.ts";
import { refused } from "./errors.ts";

/** What follows from the record, to filter by. Text is escaped; null is absent. */
export interface DerivedColumns {
  /** NaN for a record without a time. */
  readonly atMs: number;
  readonly project: string;
  readonly sessionId: string | null;
  readonly role: string | null;
  readonly tier: string;
  readonly source: string | null;
  readonly idempotencyKey: string | null;
  readonly tags: readonly string[];
}

/** An item as its row will be. */
export interface PreparedItem extends DerivedColumns {
  readonly ulid: string;
  readonly sha256: string;
  readonly appendedAt: string;
  readonly supersedes: readonly string[];
  /** Null without an idempotency key. */
  readonly replayHash: string | null;
  readonly recordJson: string;
  /** The terms as the index's tokenizer takes them apart again. */
  readonly indexed: string;
  readonly termCount: number;
  /** Distinct words, among them those that a misspelt one may mean. */
  readonly words: Iterable<string>;
}

/** @throws MemspoolError STORE_REFUSED for what would come back changed, or has no time */
export function prepareItem(item: CommitItem): PreparedItem {
  const { record, recordJson } = item;
  // JSON.stringify writes neither; the binding would cut or change them without a word.
  if (!recordJson.isWellFormed() || recordJson.includes("\0")) throw refused("not_json");
  const columns = derivedColumns(record, item.appendedAt);
  if (Number.isNaN(columns.atMs)) throw refused("time");
  const { terms, words } = indexTermsAndWords(indexedText(record));
  return {
    ulid: item.ulid,
    sha256: item.sha256,
    appendedAt: item.appendedAt,
    ...columns,
    supersedes: [...new Set(record.supersedes)],
    replayHash: replayHash(record, item.sha256) ?? null,
    recordJson,
    indexed: terms.join(" "),
    termCount: terms.length,
    words,
  };
}

export function derivedColumns(record: MemoryRecord, appendedAt: string): DerivedColumns {
  return {
    atMs: timeMs(record.occurred_at ?? appendedAt),
    project: escapeText(record.project ?? ""),
    sessionId: escapeOrNull(record.session_id),
    role: record.role ?? null,
    tier: record.tier ?? "episodic",
    source: escapeOrNull(record.source),
    idempotencyKey: escapeOrNull(record.idempotency_key),
    tags: [...new Set(record.tags)].map(escapeText),
  };
}

function escapeOrNull(text: string | undefined): string | null {
  return text === undefined ? null : escapeText(text);
}
