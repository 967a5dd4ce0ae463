/**
 * Page marks that callers hand back. Opaque to them: base64url of JSON.
 *
 * Guarantees: a cursor only fits the question that it came from; anything else is CURSOR_INVALID.
 */
import { createHash } from "node:crypto";
import type { z } from "zod";
import { MemspoolError } from "../errors.ts";
import { CURSOR_CHARS_MAX } from "../record/limits.ts";

/** A short hash of whatever decides the order and the content of the pages. */
export function questionHash(question: unknown): string {
  return createHash("sha256").update(JSON.stringify(question)).digest("base64url").slice(0, 12);
}

export function encodeCursor(position: object): string {
  return Buffer.from(JSON.stringify(position), "utf8").toString("base64url");
}

/** @throws MemspoolError CURSOR_INVALID */
export function decodeCursor<T>(cursor: string, schema: z.ZodType<T>): T {
  if (cursor.length <= CURSOR_CHARS_MAX) {
    try {
      const parsed = schema.safeParse(JSON.parse(Buffer.from(cursor, "base64url").toString()));
      if (parsed.success) return parsed.data;
    } catch {
      // Not JSON: no cursor of ours, as said below.
    }
  }
  throw invalidCursor();
}

export function invalidCursor(): MemspoolError {
  return new MemspoolError(
    "CURSOR_INVALID",
    "The cursor does not belong to this question. Give next_cursor of the last answer with the " +
      "very same query and filters, or leave it out to begin at the first page.",
  );
}
