/**
 * Projects, sessions and tags, with how many records each has and when the last one was.
 *
 * Guarantees: pending and spilled records are counted, whichever process wrote them, and one that
 * moves into the store meanwhile is counted once. Newest name first; pages continue behind the last name of the
 * page before, but a name that gets a new record moves to the front. Of more than NAME_COUNT_MAX
 * names the newest are listed.
 */
import { z } from "zod";
import type { PendingText } from "../queue/pending-view.ts";
import { withDefaults } from "../record/memory-record.ts";
import type { Facet, FacetKind, RecordFilter } from "../store/memory-store.ts";
import { decodeCursor, encodeCursor, invalidCursor, questionHash } from "./cursor.ts";
import type { RecentResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { queuedTexts } from "./queued-texts.ts";
import { matchesFilter, recordTimeMs } from "./record-filter.ts";
import { askStore } from "./store-access.ts";

export type NameListParts = Pick<MemoryParts, "view" | "spill" | "store">;

const NAME_COUNT_MAX = 10_000;
const LOOKS = 3;

interface CountedName {
  readonly name: string;
  readonly count: number;
  readonly lastMs: number;
}

/** A name may be longer than a cursor, so its hash stands for it. */
const positionSchema = z.strictObject({ q: z.string(), t: z.number(), h: z.string() });

/** @throws MemspoolError CURSOR_INVALID */
export async function nameList(
  parts: NameListParts,
  kind: FacetKind,
  filter: RecordFilter,
  page: { readonly limit: number; readonly cursor: string | undefined },
): Promise<RecentResult> {
  const question = questionHash([kind, filter]);
  const after = page.cursor === undefined ? undefined : decodeCursor(page.cursor, positionSchema);
  if (after && after.q !== question) throw invalidCursor();
  const { envelopes, unloaded } = await queuedTexts(parts);
  const ulids = envelopes.map(({ ulid }) => ulid);
  const stored = await askStore(() => countStored(parts.store, kind, filter, ulids));
  const queued = envelopes.filter(
    ({ ulid, record, appendedAt }) =>
      !stored.value?.counted.has(ulid) && matchesFilter(filter, record, appendedAt),
  );
  const names = [...addQueued(stored.value?.facets ?? [], kind, queued)].sort(newestFirst);
  const start = after === undefined ? 0 : indexBehind(names, after);
  const shown = names.slice(start, start + page.limit);
  const last = shown.at(-1);
  return {
    names: shown.map(({ name, count, lastMs }) => ({
      name,
      count,
      last_at: new Date(lastMs).toISOString(),
    })),
    ...(last && start + shown.length < names.length
      ? { next_cursor: encodeCursor({ q: question, t: last.lastMs, h: questionHash(last.name) }) }
      : {}),
    ...(unloaded > 0 ? { unsearched: unloaded } : {}),
    ...(stored.error === undefined ? {} : { store_error: stored.error }),
  };
}

/**
 * The store's names, and which of the queued records it counted with them: those that it knew
 * before. If it got to know more while it counted, nobody can say of these, and it counts again.
 */
async function countStored(
  store: NameListParts["store"],
  kind: FacetKind,
  filter: RecordFilter,
  ulids: readonly string[],
): Promise<{ facets: readonly Facet[]; counted: { has(ulid: string): boolean } }> {
  const lookUp = async () => (ulids.length === 0 ? new Map() : await store.lookup(ulids));
  let counted = await lookUp();
  for (let look = 1; ; look++) {
    const facets = await store.facets(kind, filter, NAME_COUNT_MAX);
    const known = await lookUp();
    if (known.size === counted.size || look === LOOKS) return { facets, counted };
    counted = known;
  }
}

function addQueued(
  facets: readonly Facet[],
  kind: FacetKind,
  queued: readonly PendingText[],
): Iterable<CountedName> {
  const names = new Map<string, CountedName>();
  for (const { name, count, lastAt } of facets) {
    names.set(name, { name, count, lastMs: Date.parse(lastAt) });
  }
  for (const { record, appendedAt } of queued) {
    const atMs = recordTimeMs(record, appendedAt);
    for (const name of namesOf(kind, record)) {
      const { count, lastMs } = names.get(name) ?? { count: 0, lastMs: atMs };
      names.set(name, { name, count: count + 1, lastMs: Math.max(lastMs, atMs) });
    }
  }
  return names.values();
}

function namesOf(kind: FacetKind, record: PendingText["record"]): Iterable<string> {
  if (kind === "tags") return new Set(record.tags);
  if (kind === "projects") return [withDefaults(record).project];
  return record.session_id === undefined ? [] : [record.session_id];
}

function newestFirst(one: CountedName, other: CountedName): number {
  if (one.lastMs !== other.lastMs) return other.lastMs - one.lastMs;
  return one.name === other.name ? 0 : one.name < other.name ? -1 : 1;
}

function indexBehind(
  names: readonly CountedName[],
  after: { readonly t: number; readonly h: string },
): number {
  const last = names.findIndex(({ name, lastMs }) => {
    return lastMs === after.t && questionHash(name) === after.h;
  });
  if (last !== -1) return last + 1;
  // It has moved to the front meanwhile.
  const older = names.findIndex(({ lastMs }) => lastMs < after.t);
  return older === -1 ? names.length : older;
}
