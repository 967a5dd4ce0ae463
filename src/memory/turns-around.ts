/**
 * The turns around a hit, as they are shown beside it: what was said before and after.
 *
 * Guarantees: of the same session and project, whatever the filter asked for beside these; in the
 * order of the session; bounded in number and length.
 */

import type { ContextTurn } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import type { Candidate, Scored } from "./ranking/scored.ts";
import { type TurnsQuery, turnsBeside } from "./session-turns.ts";
import { askStore } from "./store-access.ts";
import { type KnownRecord, summarise } from "./summary.ts";

export interface TurnsAround {
  before: ContextTurn[];
  after: ContextTurn[];
}

export async function turnsAround(
  parts: Pick<MemoryParts, "store">,
  hits: readonly Scored[],
  span: number,
  queued: readonly Candidate[],
  wanted: TurnsQuery["wanted"],
  storeIsAway: boolean,
): Promise<Map<string, TurnsAround>> {
  const neighbours = await turnsBeside(parts, {
    ...{ of: hits.map(({ candidate }) => candidate), before: span, behind: span, queued },
    ...{ filter: {}, wanted },
  });
  const around = new Map<string, TurnsAround>();
  for (const { candidate } of hits) around.set(candidate.ulid, { before: [], after: [] });
  for (const { of, offset, candidate } of neighbours.toSorted((a, b) => a.offset - b.offset)) {
    const turn = contextTurn(candidate);
    const turns = around.get(of);
    if (offset < 0) turns?.before.push(turn);
    else turns?.after.push(turn);
  }
  // A store that is away is not asked again for each hit.
  for (const { candidate } of storeIsAway ? [] : hits) {
    const before = around.get(candidate.ulid)?.before;
    if (candidate.state === "ingested" || before === undefined) continue;
    before.unshift(...(await storedTail(parts, candidate, span - before.length, queued)));
  }
  return around;
}

/** The last stored turns of a queued hit's session: they stand before all that is queued of it. */
async function storedTail(
  { store }: Pick<MemoryParts, "store">,
  { record }: Candidate,
  count: number,
  queued: readonly Candidate[],
): Promise<ContextTurn[]> {
  const { session_id: sessionId, project = "" } = record;
  if (sessionId === undefined || count <= 0) return [];
  const filter = { projects: [project], sessionId };
  const { value = [] } = await askStore(() => store.timeline({ filter, limit: count }));
  const isQueued = new Set(queued.map(({ ulid }) => ulid));
  return value
    .filter(({ ulid }) => !isQueued.has(ulid))
    .map((stored) => contextTurn({ ...stored, state: "ingested" }))
    .reverse();
}

function contextTurn(known: KnownRecord): ContextTurn {
  const { ulid, at, role, source, snippet, total_chars } = summarise(known, []);
  return {
    ...{ ulid, at },
    ...(role === undefined ? {} : { role }),
    ...(source === undefined ? {} : { source }),
    ...{ snippet, total_chars },
  };
}
