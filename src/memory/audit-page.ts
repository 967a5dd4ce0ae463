/** Records that left the full queue, page by page, newest first, with totals over all of them. */
import { z } from "zod";
import { newestAuditLines } from "../queue/audit-newest.ts";
import { type AuditMemo, readAudit } from "../queue/audit-read.ts";
import { PAGE_LIMIT_DEFAULT } from "../record/limits.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "./cursor.ts";
import type { AuditPage } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import type { PageInput } from "./queue-pages.ts";
import { pageLimit } from "./whole-number.ts";

const positionSchema = z.strictObject({
  list: z.literal("audit"),
  ino: z.int(),
  at: z.int().min(0),
  ulid: z.string(),
});

/** Remembers the counts of files that have not changed, so that a page costs little. */
export class AuditPages {
  readonly #parts: Pick<MemoryParts, "fs" | "queue">;
  readonly #memo: AuditMemo = new Map();

  constructor(parts: Pick<MemoryParts, "fs" | "queue">) {
    this.#parts = parts;
  }

  /**
   * @throws MemspoolError CURSOR_INVALID, also when rotation has deleted the file that the cursor
   *   leads to; INVALID_ARGUMENT
   */
  async page(input: PageInput): Promise<AuditPage> {
    const { fs, queue } = this.#parts;
    const limit = pageLimit(input.limit, PAGE_LIMIT_DEFAULT);
    const before =
      input.cursor === undefined ? undefined : decodeCursor(input.cursor, positionSchema);
    const newest = await newestAuditLines(fs, queue.layout, { before, limit });
    if (!newest) throw invalidCursor();
    const { here, gone, goneIncomplete } = await readAudit(fs, queue.layout, {}, this.#memo);
    const { next, lines } = newest;
    return {
      total: here.spilled + here.dropped,
      entries: [...lines],
      ...(next && { next_cursor: encodeCursor({ list: "audit", ...next }) }),
      totals: { ...here, deleted: { ...gone, incomplete: goneIncomplete } },
    };
  }
}
