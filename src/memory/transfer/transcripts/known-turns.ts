/**
 * The turns and kept lines that are here already, whoever captured them and in whatever project.
 *
 * Guarantees: a turn is known by its idempotency key, which names client and session, so a turn that
 * a hook captured into another project is known too. Some 100 bytes a turn in memory, however long
 * the turns are. What arrives meanwhile is no harm: the store knows the key.
 */
import { createHash } from "node:crypto";
import type { MemoryRecord } from "../../../record/memory-record.ts";

/** Beginnings of the keys of turns (record/turn-key) and of kept lines (kept-line), as JSON. */
const KEY_MARKS = ['"idempotency_key":"turn:', '"idempotency_key":"transcript-line:'];

/** Enough of a hash that no two of some billions of names meet. */
const DIGEST_CHARS = 20;

export class KnownTurns {
  /** The newest of the records that were seen. */
  newestUlid: string | undefined;
  readonly #keys = new Set<string>();
  /** The client's own id of a line → the session that it was captured in. */
  readonly #sessions = new Map<string, string>();

  /** @param recordJson of any record; those that are no turns are passed over quickly */
  see(ulid: string, recordJson: string): void {
    if (this.newestUlid === undefined || ulid > this.newestUlid) this.newestUlid = ulid;
    if (!KEY_MARKS.some((mark) => recordJson.includes(mark))) return;
    const { idempotency_key, session_id, metadata } = JSON.parse(recordJson) as MemoryRecord;
    if (idempotency_key === undefined) return;
    const uuid = metadata?.uuid;
    this.add(idempotency_key, typeof uuid === "string" ? uuid : undefined, session_id);
  }

  add(key: string, uuid?: string | undefined, sessionId?: string | undefined): void {
    this.#keys.add(digest(key));
    if (uuid === undefined || sessionId === undefined) return;
    const id = digest(uuid);
    if (!this.#sessions.has(id)) this.#sessions.set(id, digest(sessionId));
  }

  has(key: string): boolean {
    return this.#keys.has(digest(key));
  }

  /** Whether the line was captured before, as part of another session. */
  isFromElsewhere(uuid: string, sessionId: string): boolean {
    const session = this.#sessions.get(digest(uuid));
    return session !== undefined && session !== digest(sessionId);
  }
}

function digest(name: string): string {
  return createHash("sha256").update(name).digest("base64url").slice(0, DIGEST_CHARS);
}
