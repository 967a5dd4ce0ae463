/** Pending and quarantined records, page by page, without their texts. */
import { z } from "zod";
import { quarantineEntry, quarantineNames } from "../queue/quarantine-list.ts";
import { PAGE_LIMIT_DEFAULT } from "../record/limits.ts";
import { ulidTimeMs } from "../record/record-id.ts";
import { decodeCursor, encodeCursor, invalidCursor } from "./cursor.ts";
import type { Page, PendingEntryView, QuarantineEntryView } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { pageLimit } from "./whole-number.ts";

export interface PageInput {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

type ListName = "pending" | "quarantine";

const positionSchema = z.strictObject({ list: z.string(), after: z.string() });

/** Oldest first. @throws MemspoolError CURSOR_INVALID, INVALID_ARGUMENT */
export async function pendingPage(
  parts: Pick<MemoryParts, "view">,
  input: PageInput,
): Promise<Page<PendingEntryView>> {
  const { ulids, marked } = await parts.view.refresh();
  const { slice, next } = pageOf("pending", ulids, input);
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

/** Oldest id first. @throws MemspoolError CURSOR_INVALID, INVALID_ARGUMENT */
export async function quarantinePage(
  parts: Pick<MemoryParts, "fs" | "queue">,
  input: PageInput,
): Promise<Page<QuarantineEntryView>> {
  const { fs, queue } = parts;
  const names = await quarantineNames(fs, queue.layout);
  const { slice, next } = pageOf("quarantine", names, input);
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
  list: ListName,
  names: readonly string[],
  input: PageInput,
): { slice: readonly string[]; next: { next_cursor?: string } } {
  const limit = pageLimit(input.limit, PAGE_LIMIT_DEFAULT);
  const after = input.cursor === undefined ? "" : readCursor(list, input.cursor);
  const rest = names.filter((name) => name > after);
  const slice = rest.slice(0, limit);
  const last = slice.at(-1);
  const more = rest.length > slice.length && last !== undefined;
  return { slice, next: more ? { next_cursor: encodeCursor({ list, after: last }) } : {} };
}

function readCursor(list: ListName, cursor: string): string {
  const position = decodeCursor(cursor, positionSchema);
  if (position.list !== list) throw invalidCursor();
  return position.after;
}
