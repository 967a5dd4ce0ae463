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
import { summarise } from "./summary.ts";

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
): Promise<Map<string, TurnsAround>> {
  const neighbours = await turnsBeside(parts, {
    ...{ of: hits.map(({ candidate }) => candidate), before: span, behind: span, queued },
    ...{ filter: {}, wanted },
  });
  const around = new Map<string, TurnsAround>();
  for (const { candidate } of hits) around.set(candidate.ulid, { before: [], after: [] });
  for (const { of, offset, candidate } of neighbours.toSorted((a, b) => a.offset - b.offset)) {
    const { ulid, at, role, source, snippet, total_chars } = summarise(candidate, []);
    const turn: ContextTurn = {
      ...{ ulid, at },
      ...(role === undefined ? {} : { role }),
      ...(source === undefined ? {} : { source }),
      ...{ snippet, total_chars },
    };
    const turns = around.get(of);
    if (offset < 0) turns?.before.push(turn);
    else turns?.after.push(turn);
  }
  return around;
}
