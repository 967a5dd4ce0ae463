/**
 * What a tombstone keeps of an idempotency key, so that the same turn, brought again under a new id,
 * is recognised: SHA-256 over project, key and the text's hash together.
 *
 * Guarantees: nothing of the three can be read from it. Does not guarantee secrecy against guessing:
 * whoever guesses project, key and text right can see that the guess is right.
 */
import { createHash } from "node:crypto";
import type { MemoryRecord } from "../record/memory-record.ts";

/** undefined for a record without a key. @param sha256 of the text */
export function replayHash(record: MemoryRecord, sha256: string): string | undefined {
  const { idempotency_key: key, project = "" } = record;
  if (key === undefined) return undefined;
  return createHash("sha256")
    .update(JSON.stringify([project, key, sha256]))
    .digest("hex");
}
