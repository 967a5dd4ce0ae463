/**
 * The turns beside a record, in the store and in the queue.
 *
 * Guarantees: what is queued stands behind what is stored of the same session, since records are
 * ingested in the order in which they came; nothing is there twice. With the store away, the queued
 * ones are still found. Does not find the turns before a queued record that are stored already, so a
 * stored record before it is lent nothing by it until both are stored; turns-around.ts shows them.
 */
import type { MeasuredRecord, RecordFilter } from "../store/memory-store.ts";
import { countWanted, type WantedTerms } from "../text/wanted-terms.ts";
import type { MemoryParts } from "./parts.ts";
import { type Neighbour, sessionOf } from "./ranking/lending.ts";
import type { Candidate } from "./ranking/scored.ts";
import { matchesFilter } from "./record-filter.ts";
import { askStore } from "./store-access.ts";

export interface TurnsQuery {
  readonly of: readonly Candidate[];
  /** Turns before and behind each. */
  readonly before: number;
  readonly behind: number;
  /** All that is queued, oldest first. */
  readonly queued: readonly Candidate[];
  readonly filter: RecordFilter;
  /** Ignore records whose id is greater. */
  readonly ulidMax?: string | undefined;
  readonly wanted: WantedTerms;
}

export async function turnsBeside(
  { store }: Pick<MemoryParts, "store">,
  query: TurnsQuery,
): Promise<Neighbour[]> {
  const withSession = query.of.filter(({ record }) => record.session_id !== undefined);
  if (withSession.length === 0) return [];
  const sessions = queuedBySession(query.queued, new Set(withSession.map(sessionOf)));
  const stored = withSession.filter(({ state }) => state === "ingested");
  const found = await storedBeside(store, stored, query);
  const neighbours: Neighbour[] = [];
  for (const candidate of withSession) {
    const { ulid } = candidate;
    const queued = sessions.get(sessionOf(candidate) as string) ?? [];
    const links = found.get(ulid) ?? [];
    neighbours.push(...links);
    const at = queued.findIndex((other) => other.ulid === ulid);
    // Behind a stored turn come the stored ones behind it, and then the queued ones.
    const shift = at === -1 ? 1 + Math.max(0, ...links.map(({ offset }) => offset)) : -at;
    for (const [place, other] of queued.entries()) {
      const offset = place + shift;
      if (other.ulid === ulid || offset < -query.before || offset > query.behind) continue;
      neighbours.push({ of: ulid, offset, candidate: other });
    }
  }
  return neighbours.filter(({ candidate: { ulid, record, appendedAt } }) => {
    if (query.ulidMax !== undefined && ulid > query.ulidMax) return false;
    return matchesFilter(query.filter, record, appendedAt);
  });
}

async function storedBeside(
  store: MemoryParts["store"],
  of: readonly Candidate[],
  { before, behind, wanted, queued }: TurnsQuery,
): Promise<Map<string, Neighbour[]>> {
  const beside = new Map<string, Neighbour[]>();
  if (of.length === 0) return beside;
  const ulids = of.map(({ ulid }) => ulid);
  const { value } = await askStore(() => store.neighbours({ ulids, before, behind }));
  if (value === undefined) return beside; // the answer says so already
  const known = new Map(of.map((candidate) => [candidate.ulid, candidate]));
  const isQueued = new Set(queued.map(({ ulid }) => ulid));
  for (const record of value.records) {
    if (!known.has(record.ulid)) known.set(record.ulid, storedCandidate(record, wanted));
  }
  for (const { of: ulid, ulid: other, offset } of value.links) {
    const candidate = known.get(other);
    if (candidate === undefined || isQueued.has(other)) continue;
    const links = beside.get(ulid);
    if (links === undefined) beside.set(ulid, [{ of: ulid, offset, candidate }]);
    else links.push({ of: ulid, offset, candidate });
  }
  return beside;
}

export function storedCandidate(stored: MeasuredRecord, wanted: WantedTerms): Candidate {
  const { ulid, appendedAt, record, supersededBy, termCount } = stored;
  const measured = { termCount, frequencies: countWanted(record, wanted) };
  return { ulid, appendedAt, record, state: "ingested", measured, supersededBy };
}

function queuedBySession(
  queued: readonly Candidate[],
  wanted: ReadonlySet<string | undefined>,
): Map<string, Candidate[]> {
  const sessions = new Map<string, Candidate[]>();
  for (const candidate of queued) {
    if (candidate.record.session_id === undefined) continue;
    const session = sessionOf(candidate);
    if (session === undefined || !wanted.has(session)) continue;
    const turns = sessions.get(session);
    if (turns === undefined) sessions.set(session, [candidate]);
    else turns.push(candidate);
  }
  return sessions;
}
