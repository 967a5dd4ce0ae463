/** Pending and quarantined records, page by page, without their texts. */
import { z } from "zod";
import { quarantineEntry, quarantineNames } from "../queue/quarantine-list.ts";
import { PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX } from "../record/limits.ts";
import { ulidTimeMs } from "../record/record-id.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import type { Page, PendingEntryView, QuarantineEntryView } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";

export interface PageInput {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

const positionSchema = z.strictObject({ after: z.string() });

/** Oldest first. @throws MemspoolError CURSOR_INVALID */
export async function pendingPage(
  parts: Pick<MemoryParts, "view">,
  input: PageInput,
): Promise<Page<PendingEntryView>> {
  const { ulids, marked } = await parts.view.refresh();
  const { slice, next } = pageOf(ulids, input);
  const entries = await Promise.all(
    slice.map(async (ulid): Promise<PendingEntryView | undefined> => {
      const bytes = await parts.view.bytesOf(ulid);
      if (bytes === undefined) return undefined; // ingested meanwhile
      const appendedAt = new Date(ulidTimeMs(ulid)).toISOString();
      return { ulid, appended_at: appendedAt, bytes, marked: marked.has(ulid) };
    }),
  );
  return { total: ulids.length, entries: entries.filter((entry) => entry !== undefined), ...next };
}

/** Oldest id first. @throws MemspoolError CURSOR_INVALID */
export async function quarantinePage(
  parts: Pick<MemoryParts, "fs" | "queue">,
  input: PageInput,
): Promise<Page<QuarantineEntryView>> {
  const { fs, queue } = parts;
  const names = await quarantineNames(fs, queue.layout);
  const { slice, next } = pageOf(names, input);
  const entries = await Promise.all(slice.map((file) => quarantineEntry(fs, queue.layout, file)));
  return {
    total: names.length,
    entries: entries
      .filter((entry) => entry !== undefined)
      .map(({ quarantinedAt, ...entry }) => ({ ...entry, quarantined_at: quarantinedAt })),
    ...next,
  };
}

/** Names behind the cursor; what left the list since then does not matter to the order. */
function pageOf(
  names: readonly string[],
  input: PageInput,
): { slice: readonly string[]; next: { next_cursor?: string } } {
  const limit = Math.min(input.limit ?? PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX);
  const after =
    input.cursor === undefined ? undefined : decodeCursor(input.cursor, positionSchema).after;
  const rest = after === undefined ? names : names.filter((name) => name > after);
  const slice = rest.slice(0, limit);
  const last = slice.at(-1);
  const more = rest.length > slice.length && last !== undefined;
  return { slice, next: more ? { next_cursor: encodeCursor({ after: last }) } : {} };
}
