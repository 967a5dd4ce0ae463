/**
 * The timeline of a session, a project or everything.
 *
 * Guarantees: pending and spilled records are in it, whichever process wrote them. Order: `occurred_at`, else
 * `appended_at`, then id; pages continue behind the last record of the page before.
 */
import { z } from "zod";
import { PAGE_LIMIT_DEFAULT } from "../record/limits.ts";
import { ulidSchema } from "../record/memory-record.ts";
import type { RecordFilter, TimelineQuery } from "../store/memory-store.ts";
import { decodeCursor, encodeCursor, invalidCursor, questionHash } from "./cursor.ts";
import type { RecentInput, RecentResult } from "./memory.ts";
import { nameList } from "./name-list.ts";
import type { MemoryParts } from "./parts.ts";
import { queuedTexts } from "./queued-texts.ts";
import { matchesFilter, recordFilter, recordTimeMs } from "./record-filter.ts";
import { askStore } from "./store-access.ts";
import { type KnownRecord, summarise } from "./summary.ts";
import { newerId, supersessions } from "./supersessions.ts";
import { pageLimit } from "./whole-number.ts";

export type RecentParts = Pick<MemoryParts, "view" | "spill" | "store" | "project">;

const positionSchema = z.strictObject({ q: z.string(), t: z.number(), u: ulidSchema });

interface Placed extends KnownRecord {
  readonly atMs: number;
}

/** @throws MemspoolError INVALID_ARGUMENT, CURSOR_INVALID */
export async function recentRecords(parts: RecentParts, input: RecentInput): Promise<RecentResult> {
  const filter = recordFilter(input, parts.project);
  const limit = pageLimit(input.limit, PAGE_LIMIT_DEFAULT);
  const list = input.list ?? "records";
  return list === "records"
    ? timeline(parts, input, filter, limit)
    : nameList(parts, list, filter, { limit, cursor: input.cursor });
}

async function timeline(
  parts: RecentParts,
  input: RecentInput,
  filter: RecordFilter,
  limit: number,
): Promise<RecentResult> {
  const order = input.order ?? "newest";
  const question = questionHash([filter, order]);
  const after = input.cursor === undefined ? undefined : readCursor(input.cursor, question);
  const { envelopes, stateOf, unloaded } = await queuedTexts(parts);
  const query: TimelineQuery = {
    filter,
    limit: limit + 1,
    order,
    ...(after === undefined ? {} : { after }),
  };
  const stored = await askStore(() => parts.store.timeline(query));
  const superseded = supersessions(envelopes);
  const merged = new Map<string, Placed>();
  for (const envelope of envelopes) {
    if (matchesFilter(filter, envelope.record, envelope.appendedAt)) {
      const { ulid } = envelope;
      merged.set(ulid, placed(envelope, stateOf(ulid), superseded.get(ulid)));
    }
  }
  for (const record of stored.value ?? []) {
    const supersededBy = newerId(record.supersededBy, superseded.get(record.ulid));
    merged.set(record.ulid, placed(record, "ingested", supersededBy));
  }
  const sign = order === "newest" ? -1 : 1;
  const ordered = [...merged.values()]
    .filter((one) => after === undefined || sign * compare(one, after) > 0)
    .sort((one, other) => sign * compare(one, other));
  const page = ordered.slice(0, limit);
  const last = page.at(-1);
  return {
    records: page.map((one) => summarise(one, [])),
    ...(ordered.length > limit && last
      ? { next_cursor: encodeCursor({ q: question, t: last.atMs, u: last.ulid }) }
      : {}),
    ...(unloaded > 0 ? { unsearched: unloaded } : {}),
    ...(stored.error === undefined ? {} : { store_error: stored.error }),
  };
}

function placed(
  one: { ulid: string; appendedAt: string; record: KnownRecord["record"] },
  state: KnownRecord["state"],
  supersededBy: string | undefined,
): Placed {
  const { ulid, appendedAt, record } = one;
  const atMs = recordTimeMs(record, appendedAt);
  return { ulid, appendedAt, record, state, supersededBy, atMs };
}

function compare(
  one: { readonly atMs: number; readonly ulid: string },
  other: { readonly atMs: number; readonly ulid: string },
): number {
  if (one.atMs !== other.atMs) return one.atMs - other.atMs;
  return one.ulid === other.ulid ? 0 : one.ulid < other.ulid ? -1 : 1;
}

function readCursor(cursor: string, question: string): { atMs: number; ulid: string } {
  const position = decodeCursor(cursor, positionSchema);
  if (position.q !== question) throw invalidCursor();
  return { atMs: position.t, ulid: position.u };
}
