/**
 * Finds what was said: pending and spilled records and the store, ranked by one scorer.
 *
 * Guarantees: what search-candidates.ts says of what is looked at. With the store away, the others
 * are still found and the answer says what is missing. Pages of one question do not shift while
 * records arrive or move into the store, and the event loop serves others meanwhile.
 */
import { MemspoolError } from "../errors.ts";
import { CONTEXT_TURNS_MAX, QUERY_CHARS_MAX, SEARCH_LIMIT_DEFAULT } from "../record/limits.ts";
import { type Question, readQuestion, tellingWords, termsOf } from "../text/question.ts";
import { heldCounts, wordWeights } from "../text/rank.ts";
import {
  askedWords,
  type Spellings,
  soughtTerms,
  tellsSomething,
  unknownWords,
} from "./asked-words.ts";
import { questionHash } from "./cursor.ts";
import { explain } from "./explain.ts";
import { LoopTurns } from "./loop-turns.ts";
import type { SearchHit, SearchInput, SearchResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { PendingTerms } from "./pending-terms.ts";
import { kindsOf } from "./ranking/answers.ts";
import { datesOf, dateWordsOf, isDated } from "./ranking/dates.ts";
import { LENDING_SPAN } from "./ranking/lending.ts";
import { rankHits } from "./ranking/rank-hits.ts";
import type { Asked, Candidate, Scored } from "./ranking/scored.ts";
import { isSpeaker, roleAskedFor } from "./ranking/speaker.ts";
import { recordFilter } from "./record-filter.ts";
import {
  type CandidatesQuery,
  type FoundCandidates,
  findCandidates,
  withNewerId,
} from "./search-candidates.ts";
import { isOn } from "./search-lifts.ts";
import {
  cursorPrecision,
  isBehind,
  readPosition,
  type SearchPosition,
  type Weighing,
  weighingOf,
  writePosition,
} from "./search-position.ts";
import { turnsBeside } from "./session-turns.ts";
import { askStore } from "./store-access.ts";
import { summarise } from "./summary.ts";
import { turnsAround } from "./turns-around.ts";
import { checkedNumber, pageLimit } from "./whole-number.ts";

export type SearchParts = Pick<MemoryParts, "view" | "spill" | "store" | "project" | "clock">;

const NO_SPELLINGS: Spellings = new Map();

/** What the search has come to know, from its first look on. */
interface Look {
  readonly found: FoundCandidates;
  readonly query: CandidatesQuery;
  readonly asked: Asked;
  readonly weighing: Weighing;
  readonly newest: string;
  /** What "last week" counts from, if the question has dates. */
  readonly askedAtMs: number | undefined;
}

export class Search {
  readonly #parts: SearchParts & { readonly pendingTerms: PendingTerms };

  constructor(parts: SearchParts) {
    this.#parts = { ...parts, pendingTerms: new PendingTerms() };
  }

  /** @throws MemspoolError INVALID_ARGUMENT, CURSOR_INVALID */
  async search(input: SearchInput): Promise<SearchResult> {
    refuseLongQuery(input.query);
    const limit = pageLimit(input.limit, SEARCH_LIMIT_DEFAULT);
    const context = Math.min(checkedNumber("context", input.context ?? 0, 0), CONTEXT_TURNS_MAX);
    const filter = recordFilter(input, this.#parts.project);
    const question = readQuestion(input.query);
    const hash = questionHash([input.query, filter, input.lifts ?? {}]);
    const position =
      input.cursor === undefined
        ? undefined
        : readPosition(input.cursor, hash, question.words.length);
    if (question.words.length === 0) return { results: [] };
    const turns = new LoopTurns();
    const look = await this.#look(
      input,
      question,
      { filter, ulidMax: position?.m },
      position,
      turns,
    );
    const ranked = (await this.#rank(input, look, turns)).filter(
      ({ candidate: { ulid }, score }) =>
        position === undefined || isBehind({ ulid, score }, position),
    );
    const page = ranked.slice(0, limit);
    const last = ranked.length > page.length ? page.at(-1) : undefined;
    const { found, weighing, newest } = look;
    return {
      results: await this.#present(page, input, look, context, turns),
      ...(last === undefined
        ? {}
        : {
            next_cursor: writePosition({
              ...{ question: hash, ulid: last.candidate.ulid, score: last.score },
              ...{ newest, weighing, askedAtMs: look.askedAtMs },
            }),
          }),
      ...(found.unsearched > 0 ? { unsearched: found.unsearched } : {}),
      ...(found.storeError === undefined ? {} : { store_error: found.storeError }),
    };
  }

  /** The candidates of the question; of what it may have meant, if its words are unknown. */
  async #look(
    { query, lifts }: SearchInput,
    question: Question,
    scope: Pick<CandidatesQuery, "filter" | "ulidMax">,
    position: SearchPosition | undefined,
    turns: LoopTurns,
  ): Promise<Look> {
    const nowMs = position?.t ?? this.#parts.clock.nowMs();
    const askedDates = isOn(lifts, "date") ? await datesOf(query, question.languages, nowMs) : [];
    const dates = askedDates.map(({ range }) => range);
    const known = position === undefined ? undefined : weighingOf(position);
    let spellings = known?.spellings ?? NO_SPELLINGS;
    let words = askedWords(question, lifts, spellings);
    let candidatesQuery = { terms: soughtTerms(words), ...scope, dates };
    let found = await findCandidates(this.#parts, candidatesQuery, turns);
    if (known === undefined && isOn(lifts, "spelling")) {
      const unknown = unknownWords(words, found.statistics);
      // Of a store that is away nothing is known; to ask it again would wait as long once more.
      spellings = found.storeError ? NO_SPELLINGS : await this.#spellings(unknown);
      if (spellings.size > 0) {
        words = askedWords(question, lifts, spellings);
        candidatesQuery = { terms: soughtTerms(words), ...scope, dates };
        found = await findCandidates(this.#parts, candidatesQuery, turns);
      }
    }
    const { recordCount, termCountMean } = found.statistics;
    const weighing = known ?? {
      ...{ recordCount, termCountMean: cursorPrecision(termCountMean) },
      ...{ held: heldCounts(words, found.statistics), spellings },
    };
    const weights = wordWeights(words, weighing.recordCount, weighing.held);
    const newest = position?.m ?? found.newest;
    const dateWords = dateWordsOf(askedDates, words);
    const asked = {
      ...{ query, words, weights, dates, dateWords },
      ...{ kinds: kindsOf(query), role: roleAskedFor(query) },
    };
    if (isOn(lifts, "stop_words") && !tellsSomething(words, weighing.held)) {
      found = { ...found, candidates: found.candidates.filter((each) => isMeant(each, asked)) };
    }
    const askedAtMs = dates.length === 0 ? undefined : Math.trunc(nowMs);
    return { found, query: candidatesQuery, asked, weighing, newest, askedAtMs };
  }

  async #spellings(words: readonly string[]): Promise<Spellings> {
    if (words.length === 0) return NO_SPELLINGS;
    const { value } = await askStore(() => this.#parts.store.spellings(words));
    return new Map([...(value ?? [])].filter(([, meant]) => meant.length > 0));
  }

  async #rank({ lifts }: SearchInput, look: Look, turns: LoopTurns): Promise<Scored[]> {
    const { found, asked, weighing, newest, query } = look;
    return rankHits(found.candidates, {
      ...{ asked, lifts, turns, termCountMean: weighing.termCountMean },
      // What came after `newest` does not lower a record yet.
      isSuperseded: ({ supersededBy = "" }) => supersededBy !== "" && supersededBy <= newest,
      neighboursOf: async (hits) => {
        const neighbours = await turnsBeside(this.#parts, {
          ...{ of: hits, before: LENDING_SPAN, behind: LENDING_SPAN, queued: found.queued },
          ...{ filter: query.filter, ulidMax: newest, wanted: found.wanted },
        });
        return neighbours.map((each) => {
          return { ...each, candidate: withNewerId(each.candidate, found.superseded) };
        });
      },
    });
  }

  async #present(
    page: readonly Scored[],
    input: SearchInput,
    look: Look,
    context: number,
    turns: LoopTurns,
  ): Promise<SearchHit[]> {
    const shown = termsOf(tellingWords(look.asked.words));
    const { queued, wanted, storeError } = look.found;
    const around =
      context === 0
        ? undefined
        : await turnsAround(this.#parts, page, context, queued, wanted, storeError !== undefined);
    const results: SearchHit[] = [];
    for (const hit of page) {
      const { candidate, score } = hit;
      results.push({
        ...summarise(candidate, shown),
        score: roundScore(score),
        ...(input.explain === true ? { explain: explain(look.asked, hit) } : {}),
        ...around?.get(candidate.ulid),
      });
      await turns.worked(candidate.record.surface.length);
    }
    return results;
  }
}

/** Where no telling word is known: what was said then, or by whom the question names. */
function isMeant(candidate: Candidate, asked: Asked): boolean {
  if (isDated(asked, candidate)) return true;
  return asked.words.some((word) => !word.isStop && isSpeaker(candidate, word));
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

function roundScore(score: number): number {
  return Math.round(score * 10_000) / 10_000;
}
