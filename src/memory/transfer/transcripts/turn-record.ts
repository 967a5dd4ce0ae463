/**
 * What of a transcript becomes a record: a turn, or a line that is kept as it is. Pure.
 *
 * Guarantees: every character of a text is in its records; one that is longer than a record may be is
 * several, in order. The same turn has the key that a hook gives it (record/turn-key).
 */
import { basename } from "node:path";
import { textSha256 } from "../../../record/content-hash.ts";
import { SHORT_STRING_BYTES_MAX } from "../../../record/limits.ts";
import { isoTimeSchema, type MemoryRecord, utf8Bytes } from "../../../record/memory-record.ts";
import { turnKey } from "../../../record/turn-key.ts";
import type { Client, Turn } from "./line-verdict.ts";

/**
 * Where kept lines lie: out of the scope of every search but one over all projects, and easy to
 * export, or to forget, as a whole.
 */
export const KEPT_LINES_PROJECT = "transcript-unknown-lines";
export const KEPT_LINE_TAG = "transcript-unknown-line";

/** A text in pieces that records can hold; no surrogate pair is split. */
export function piecesOf(text: string, bytesMax: number): string[] {
  if (utf8Bytes(text) <= bytesMax) return [text];
  const pieces: string[] = [];
  // Three bytes a code unit at the most, so that pieces need no second measuring.
  const unitsMax = Math.max(2, Math.floor(bytesMax / 3));
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + unitsMax, text.length);
    if (end < text.length && /[\ud800-\udbff]/.test(text.charAt(end - 1))) end--;
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
}

export interface TurnPiece {
  readonly client: Client;
  readonly turn: Turn;
  readonly surface: string;
  /** As the key counts it. */
  readonly nth: number;
  /** `2/3`; absent for a turn in one piece. */
  readonly part: string | undefined;
  readonly project: string | undefined;
}

/** @param storedText of the surface: what privacy leaves of it, which is what the key stands for */
export function turnRecord(piece: TurnPiece, storedText: string): MemoryRecord {
  const { client, turn, surface, nth, part, project } = piece;
  const { role, sessionId } = turn;
  const about = {
    cwd: turn.cwd,
    git_branch: turn.gitBranch,
    model: turn.model,
    uuid: turn.uuid,
    part,
  };
  return {
    surface,
    ...(isShort(sessionId) && { session_id: sessionId }),
    role,
    ...(project !== undefined && { project }),
    source: client,
    ...timeOf(turn.at),
    ...metadataOf(about),
    idempotency_key: turnKey({ client, sessionId, role, surface: storedText, nth }),
  };
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

export function keptLineRecords(kept: KeptLine, bytesMax: number): MemoryRecord[] {
  const { client, text, file, line, sessionId, at, fault } = kept;
  const pieces = piecesOf(text, bytesMax);
  const key = `transcript-line:${client}:${textSha256(text)}`;
  return pieces.map((surface, index) => {
    const part = pieces.length === 1 ? undefined : `${index + 1}/${pieces.length}`;
    // Not in session_id: a session's timeline is for what was said.
    const about = { session: sessionId, file: basename(file), line, fault, part };
    return {
      surface,
      tier: "working",
      role: "system",
      project: KEPT_LINES_PROJECT,
      source: client,
      ...timeOf(at),
      tags: [KEPT_LINE_TAG],
      ...metadataOf(about),
      priority: "low",
      idempotency_key: part === undefined ? key : `${key}:${part}`,
    };
  });
}

function timeOf(at: string | undefined): { occurred_at?: string } {
  return at !== undefined && isoTimeSchema.safeParse(at).success ? { occurred_at: at } : {};
}

/** What a record has no room for is left out; it only helps to find the place again. */
function metadataOf(about: Readonly<Record<string, string | number | undefined>>): {
  metadata?: Record<string, string | number>;
} {
  const entries = Object.entries(about).filter(
    (entry): entry is [string, string | number] =>
      typeof entry[1] === "number" || (typeof entry[1] === "string" && isShort(entry[1])),
  );
  return entries.length === 0 ? {} : { metadata: Object.fromEntries(entries) };
}

function isShort(text: string): boolean {
  return text !== "" && utf8Bytes(text) <= SHORT_STRING_BYTES_MAX;
}
