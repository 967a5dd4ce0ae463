/**
 * Finds what was said: pending records and the store, ranked by one scorer.
 *
 * Guarantees: a record that was acknowledged before the call is looked at, whichever process wrote
 * it and whether or not it has been ingested: pending first, then the store, the direction in
 * which records move. With the store away, pending records are still found and the answer says
 * what is missing. Pages of one question do not shift while records arrive.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { MemspoolError } from "../errors.ts";
import type { Envelope } from "../record/envelope.ts";
import { PAGE_LIMIT_MAX, QUERY_CHARS_MAX, SEARCH_LIMIT_DEFAULT } from "../record/limits.ts";
import { ulidSchema } from "../record/memory-record.ts";
import type { CandidateSet, RecordFilter } from "../store/memory-store.ts";
import {
  type MeasuredText,
  measureText,
  mergeStatistics,
  NO_STATISTICS,
  rankCandidates,
} from "../text/rank.ts";
import { queryTerms } from "../text/terms.ts";
import { decodeCursor, encodeCursor, invalidCursor, questionHash } from "./cursor.ts";
import type { SearchInput, SearchResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { matchesFilter, recordFilter } from "./record-filter.ts";
import { askStore } from "./store-access.ts";
import { type KnownRecord, summarise, supersessions } from "./summary.ts";

/** The best this many of each side are scored; pages end there. */
export const CANDIDATE_COUNT_MAX = 500;
/** Texts measured before the event loop gets a turn. */
const MEASURE_TURN_COUNT = 64;

export type SearchParts = Pick<MemoryParts, "view" | "store" | "project" | "clock">;

interface Candidate extends KnownRecord {
  readonly measured?: MeasuredText;
}

interface PendingTexts {
  /** Those that hold any of the terms and pass the filter. */
  readonly candidates: readonly Candidate[];
  /** All, for the statistics. */
  readonly measured: ReadonlyMap<string, MeasuredText>;
  readonly superseded: ReadonlyMap<string, string>;
  readonly unloaded: number;
}

const positionSchema = z.strictObject({
  q: z.string(),
  /** Last record of the page before. */
  u: ulidSchema,
  /** No record with a greater id belongs to these pages. */
  m: ulidSchema,
});

export class Search {
  readonly #parts: SearchParts;
  /** A pending text is measured once, not once a question. */
  readonly #measured = new WeakMap<Envelope, MeasuredText>();

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /** @throws MemspoolError INVALID_ARGUMENT, CURSOR_INVALID */
  async search(input: SearchInput): Promise<SearchResult> {
    refuseLongQuery(input.query);
    const limit = Math.min(input.limit ?? SEARCH_LIMIT_DEFAULT, PAGE_LIMIT_MAX);
    const filter = recordFilter(input, this.#parts.project);
    const terms = queryTerms(input.query);
    const question = questionHash([input.query, filter]);
    const position = input.cursor === undefined ? undefined : readCursor(input.cursor, question);
    if (terms.length === 0) return { results: [] };

    const pending = await this.#pending(terms, filter, position?.m);
    const stored = await askStore(() =>
      this.#parts.store.candidates({
        terms,
        filter,
        countMax: CANDIDATE_COUNT_MAX,
        ...(position === undefined ? {} : { ulidMax: position.m }),
      }),
    );
    const ranked = this.#rank(terms, pending, stored.value);
    const from =
      position === undefined ? 0 : ranked.findIndex(({ ulid }) => ulid === position.u) + 1;
    if (position !== undefined && from === 0) throw invalidCursor();
    const page = ranked.slice(from, from + limit);
    const last = page.at(-1);
    const more = from + page.length < ranked.length && last !== undefined;
    const newest = position?.m ?? newestUlid(ranked);
    return {
      results: page.map((hit) => ({ ...summarise(hit, terms), score: roundScore(hit.score) })),
      ...(more ? { next_cursor: encodeCursor({ q: question, u: last.ulid, m: newest }) } : {}),
      ...(pending.unloaded > 0 ? { unsearched: pending.unloaded } : {}),
      ...(stored.error === undefined ? {} : { store_error: stored.error }),
    };
  }

  async #pending(
    terms: readonly string[],
    filter: RecordFilter,
    ulidMax: string | undefined,
  ): Promise<PendingTexts> {
    const { envelopes, unloaded } = await this.#parts.view.texts();
    const superseded = supersessions(envelopes);
    const measured = new Map<string, MeasuredText>();
    const candidates: Candidate[] = [];
    for (const [index, envelope] of envelopes.entries()) {
      if (index % MEASURE_TURN_COUNT === MEASURE_TURN_COUNT - 1) await nextTurn();
      const { ulid, appendedAt, record } = envelope;
      const text = this.#measure(envelope);
      measured.set(ulid, text);
      if (ulidMax !== undefined && ulid > ulidMax) continue;
      if (!terms.some((term) => text.frequencies.has(term))) continue;
      if (!matchesFilter(filter, record, appendedAt)) continue;
      candidates.push({ ulid, appendedAt, record, state: "pending", measured: text });
    }
    return { candidates, measured, superseded, unloaded };
  }

  #measure(envelope: Envelope): MeasuredText {
    const known = this.#measured.get(envelope);
    if (known) return known;
    const text = measureText(envelope.record);
    this.#measured.set(envelope, text);
    return text;
  }

  #rank(
    terms: readonly string[],
    pending: PendingTexts,
    stored: CandidateSet | undefined,
  ): (Candidate & { score: number })[] {
    // A record that moved between the two looks is in both: the store has the last word.
    const inStore = new Set(stored?.candidates.map(({ ulid }) => ulid));
    const candidates: Candidate[] = [
      ...(stored?.candidates ?? []).map((record) => ({ ...record, state: "ingested" as const })),
      ...pending.candidates.filter(({ ulid }) => !inStore.has(ulid)),
    ].map((candidate) => {
      const supersededBy = maxId(candidate.supersededBy, pending.superseded.get(candidate.ulid));
      return supersededBy === undefined ? candidate : { ...candidate, supersededBy };
    });
    const texts = [...pending.measured].filter(([ulid]) => !inStore.has(ulid));
    const statistics = mergeStatistics(
      stored ?? NO_STATISTICS,
      terms,
      texts.map(([, text]) => text),
    );
    return rankCandidates({ terms, candidates, ...statistics })
      .slice(0, CANDIDATE_COUNT_MAX)
      .map(({ candidate, score }) => ({ ...candidate, score }));
  }
}

function readCursor(cursor: string, question: string): z.infer<typeof positionSchema> {
  const position = decodeCursor(cursor, positionSchema);
  if (position.q !== question) throw invalidCursor();
  return position;
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

function newestUlid(records: readonly { readonly ulid: string }[]): string {
  return records.reduce((newest, { ulid }) => (ulid > newest ? ulid : newest), "");
}

function maxId(one: string | undefined, other: string | undefined): string | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one;
}

function roundScore(score: number): number {
  return Math.round(score * 10_000) / 10_000;
}
