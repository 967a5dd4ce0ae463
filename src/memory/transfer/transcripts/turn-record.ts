/**
 * What of a transcript becomes a record: a turn, or a line that is kept as it is. Pure.
 *
 * Guarantees: every character of a text is in its records; one that is longer than a record may be is
 * several, in order. The same turn has the parts, the session, the project and the keys that a hook
 * gives it (record/turn-parts), so the store takes either for the other.
 */
import { basename } from "node:path";
import { textSha256 } from "../../../record/content-hash.ts";
import { SHORT_STRING_BYTES_MAX } from "../../../record/limits.ts";
import { isoTimeSchema, type MemoryRecord, utf8Bytes } from "../../../record/memory-record.ts";
import { turnPartKey, turnParts } from "../../../record/turn-parts.ts";
import type { Client, Turn } from "./line-verdict.ts";

/**
 * Where kept lines lie: out of the scope of every search but one over all projects, and easy to
 * export, or to forget, as a whole.
 */
export const KEPT_LINES_PROJECT = "transcript-unknown-lines";
export const KEPT_LINE_TAG = "transcript-unknown-line";

type Metadata = NonNullable<MemoryRecord["metadata"]>;

export interface StoredTurn {
  readonly client: Client;
  readonly turn: Turn;
  /** Its whole text and what is known beside it, as privacy leaves them. */
  readonly surface: string;
  readonly metadata: Metadata;
  /** As the key counts it. */
  readonly nth: number;
  /** "" is none. */
  readonly project: string;
}

/** What is known of a turn beside its words. */
export function turnMetadata({ cwd, gitBranch, model, uuid }: Turn): Metadata {
  return metadataOf({ cwd, git_branch: gitBranch, model, uuid });
}

/** As many records as its length takes; the same as a hook would make of it. */
export function turnRecords(stored: StoredTurn, textBytesMax: number): MemoryRecord[] {
  const { client, turn, surface, metadata, nth, project } = stored;
  const { role, sessionId } = turn;
  const parts = turnParts(surface, textBytesMax);
  return parts.map((part, index) => ({
    surface: part,
    ...(isShort(sessionId) && { session_id: sessionId }),
    role,
    ...(project !== "" && { project }),
    source: client,
    ...timeOf(turn.at),
    ...withMetadata({ ...metadata, ...placeOf(index, parts) }),
    idempotency_key: turnPartKey(
      { client, sessionId, role, surface, nth },
      index + 1,
      parts.length,
    ),
  }));
}

export interface KeptLine {
  readonly client: Client;
  readonly text: string;
  /** Absolute path of the transcript. */
  readonly file: string;
  readonly line: number;
  readonly sessionId: string | undefined;
  readonly at: string | undefined;
  /** Why it could not be read; absent for a line of an unknown kind. */
  readonly fault: string | undefined;
}

export function keptLineMetadata({ sessionId, file, line, fault }: KeptLine): Metadata {
  // Not in session_id: a session's timeline is for what was said.
  return metadataOf({ session: sessionId, file: basename(file), line, fault });
}

/** @param text and metadata as privacy leaves them */
export function keptLineRecords(
  { client, at }: KeptLine,
  text: string,
  metadata: Metadata,
  textBytesMax: number,
): MemoryRecord[] {
  const parts = turnParts(text, textBytesMax);
  const key = `transcript-line:${client}:${textSha256(text)}`;
  return parts.map((surface, index) => ({
    surface,
    tier: "working",
    role: "system",
    project: KEPT_LINES_PROJECT,
    source: client,
    ...timeOf(at),
    tags: [KEPT_LINE_TAG],
    ...withMetadata({ ...metadata, ...placeOf(index, parts) }),
    priority: "low",
    idempotency_key: parts.length === 1 ? key : `${key}:${index + 1}/${parts.length}`,
  }));
}

/** Absent for what is in one part. */
function placeOf(index: number, parts: readonly string[]): Metadata {
  return parts.length === 1 ? {} : { part: index + 1, of: parts.length };
}

function timeOf(at: string | undefined): { occurred_at?: string } {
  return at !== undefined && isoTimeSchema.safeParse(at).success ? { occurred_at: at } : {};
}

/** What a record has no room for is left out; it only helps to find the place again. */
function metadataOf(about: Readonly<Record<string, string | number | undefined>>): Metadata {
  const entries = Object.entries(about).filter(
    (entry): entry is [string, string | number] =>
      typeof entry[1] === "number" || (typeof entry[1] === "string" && isShort(entry[1])),
  );
  return Object.fromEntries(entries);
}

function withMetadata(metadata: Metadata): { metadata?: Metadata } {
  return Object.keys(metadata).length === 0 ? {} : { metadata };
}

function isShort(text: string): boolean {
  return text !== "" && utf8Bytes(text) <= SHORT_STRING_BYTES_MAX;
}
