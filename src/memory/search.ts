/**
 * Finds what was said: pending and spilled records and the store, ranked by one scorer.
 *
 * Guarantees: a record that was acknowledged before the call is looked at, whichever process wrote
 * it and wherever it lies: pending first, then the spill, then the store, the direction in which
 * records move, or it is counted as unsearched. With the store away, the others are still found and
 * the answer says what is missing. Pages of one question do not shift while records arrive or move into the store,
 * and the event loop serves others meanwhile.
 */
import { MemspoolError } from "../errors.ts";
import { QUERY_CHARS_MAX, SEARCH_LIMIT_DEFAULT } from "../record/limits.ts";
import type { CandidateSet, RecordFilter, StoredRecord } from "../store/memory-store.ts";
import {
  type MeasuredText,
  measureText,
  mergeStatistics,
  NO_STATISTICS,
  rankCandidates,
  type TermStatistics,
} from "../text/rank.ts";
import { queryTerms } from "../text/terms.ts";
import { questionHash } from "./cursor.ts";
import { LoopTurns } from "./loop-turns.ts";
import type { SearchHit, SearchInput, SearchResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { PendingTerms } from "./pending-terms.ts";
import { queuedTexts } from "./queued-texts.ts";
import { matchesFilter, recordFilter } from "./record-filter.ts";
import {
  cursorPrecision,
  isBehind,
  readPosition,
  statisticsOf,
  writePosition,
} from "./search-position.ts";
import { askStore } from "./store-access.ts";
import { type KnownRecord, newerId, summarise, supersessions } from "./summary.ts";
import { pageLimit } from "./whole-number.ts";

/** The best this many of each side are scored; pages end there. */
export const CANDIDATE_COUNT_MAX = 500;

export type SearchParts = Pick<MemoryParts, "view" | "spill" | "store" | "project" | "clock">;

interface Candidate extends KnownRecord {
  readonly measured: MeasuredText;
}

interface Hit {
  readonly candidate: Candidate;
  readonly score: number;
}

interface QueuedCandidates {
  /** Those that hold any of the terms and pass the filter. */
  readonly candidates: readonly Candidate[];
  /** All, for the statistics. */
  readonly measured: ReadonlyMap<string, MeasuredText>;
  readonly superseded: ReadonlyMap<string, string>;
  readonly unloaded: number;
}

export class Search {
  readonly #parts: SearchParts;
  readonly #pendingTerms = new PendingTerms();

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /** @throws MemspoolError INVALID_ARGUMENT, CURSOR_INVALID */
  async search(input: SearchInput): Promise<SearchResult> {
    refuseLongQuery(input.query);
    const limit = pageLimit(input.limit, SEARCH_LIMIT_DEFAULT);
    const filter = recordFilter(input, this.#parts.project);
    const terms = queryTerms(input.query);
    const question = questionHash([input.query, filter]);
    const position =
      input.cursor === undefined ? undefined : readPosition(input.cursor, question, terms);
    if (terms.length === 0) return { results: [] };

    const turns = new LoopTurns();
    const queued = await this.#queued(terms, filter, position?.m, turns);
    const stored = await askStore(() =>
      this.#parts.store.candidates({
        terms,
        filter,
        countMax: CANDIDATE_COUNT_MAX,
        ...(position === undefined ? {} : { ulidMax: position.m }),
      }),
    );
    const candidates = await merge(queued, stored.value?.candidates ?? [], turns);
    const newest = position?.m ?? newestId(candidates);
    const statistics = position
      ? statisticsOf(position, terms)
      : statisticsNow(terms, queued, stored.value);
    const ranked = rank(terms, candidates, statistics, newest).filter(
      ({ candidate: { ulid }, score }) =>
        position === undefined || isBehind({ ulid, score }, position),
    );
    const page = ranked.slice(0, limit);
    const last = page.at(-1);
    const results: SearchHit[] = [];
    for (const { candidate, score } of page) {
      results.push({ ...summarise(candidate, terms), score: roundScore(score) });
      await turns.worked(candidate.record.surface.length);
    }
    return {
      results,
      ...(last && ranked.length > page.length
        ? {
            next_cursor: writePosition({
              question,
              ulid: last.candidate.ulid,
              score: last.score,
              newest,
              terms,
              statistics,
            }),
          }
        : {}),
      ...(queued.unloaded > 0 ? { unsearched: queued.unloaded } : {}),
      ...(stored.error === undefined ? {} : { store_error: stored.error }),
    };
  }

  async #queued(
    terms: readonly string[],
    filter: RecordFilter,
    ulidMax: string | undefined,
    turns: LoopTurns,
  ): Promise<QueuedCandidates> {
    const { envelopes, stateOf, unloaded } = await queuedTexts(this.#parts);
    const superseded = supersessions(envelopes);
    const measured = new Map<string, MeasuredText>();
    const candidates: Candidate[] = [];
    for (const envelope of envelopes) {
      const { ulid, appendedAt, record } = envelope;
      const text = await this.#pendingTerms.measure(envelope, terms, turns);
      measured.set(ulid, text);
      if (ulidMax !== undefined && ulid > ulidMax) continue;
      if (text.frequencies.size === 0) continue;
      if (!matchesFilter(filter, record, appendedAt)) continue;
      candidates.push({ ulid, appendedAt, record, state: stateOf(ulid), measured: text });
    }
    return { candidates, measured, superseded, unloaded };
  }
}

/** Both sides, each record once, with the newest id that supersedes it. */
async function merge(
  queued: QueuedCandidates,
  stored: readonly StoredRecord[],
  turns: LoopTurns,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const { ulid, appendedAt, record, supersededBy } of stored) {
    const measured = queued.measured.get(ulid) ?? measureText(record);
    candidates.push({ ulid, appendedAt, record, state: "ingested", measured, supersededBy });
    await turns.worked(record.surface.length);
  }
  // A record that moved between the two looks is in both: the store has the last word.
  const inStore = new Set(stored.map(({ ulid }) => ulid));
  candidates.push(...queued.candidates.filter(({ ulid }) => !inStore.has(ulid)));
  return candidates.map((candidate) => ({
    ...candidate,
    supersededBy: newerId(candidate.supersededBy, queued.superseded.get(candidate.ulid)),
  }));
}

/** Best first, at most CANDIDATE_COUNT_MAX. What came after `newest` does not lower a record yet. */
function rank(
  terms: readonly string[],
  candidates: readonly Candidate[],
  statistics: TermStatistics,
  newest: string,
): Hit[] {
  const ranking = candidates.map((candidate) => {
    const { ulid, record, measured, supersededBy = "" } = candidate;
    const lowered = supersededBy !== "" && supersededBy <= newest;
    return { ulid, record, measured, supersededBy: lowered ? supersededBy : undefined, candidate };
  });
  return rankCandidates({ ...statistics, terms, candidates: ranking })
    .slice(0, CANDIDATE_COUNT_MAX)
    .map(({ candidate: { candidate }, score }) => ({ candidate, score }));
}

function statisticsNow(
  terms: readonly string[],
  queued: QueuedCandidates,
  stored: CandidateSet | undefined,
): TermStatistics {
  const inStore = new Set(stored?.candidates.map(({ ulid }) => ulid));
  const others = [...queued.measured].filter(([ulid]) => !inStore.has(ulid));
  const merged = mergeStatistics(
    stored ?? NO_STATISTICS,
    terms,
    others.map(([, text]) => text),
  );
  return cursorPrecision(merged);
}

function refuseLongQuery(query: string): void {
  if (query.length <= QUERY_CHARS_MAX) return;
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    `The query has ${query.length} characters, the limit is ${QUERY_CHARS_MAX}. Ask with the few ` +
      "words that matter.",
    { details: { limit_chars: QUERY_CHARS_MAX, size_chars: query.length } },
  );
}

/** Of the records and of those that supersede them. */
function newestId(candidates: readonly Candidate[]): string {
  let newest = "";
  for (const { ulid, supersededBy = "" } of candidates) {
    if (ulid > newest) newest = ulid;
    if (supersededBy > newest) newest = supersededBy;
  }
  return newest;
}

function roundScore(score: number): number {
  return Math.round(score * 10_000) / 10_000;
}
