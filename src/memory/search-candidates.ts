/**
 * The records that may answer a question, from queue and store, with what BM25 needs of the rest.
 *
 * Guarantees: a record that was acknowledged before is among those that are looked at, whichever
 * process wrote it and wherever it lies: pending first, then the spill, then the store, the
 * direction in which records move, or it is counted as unsearched. Each record is there once, with
 * the newest id that supersedes it.
 */
import type { RecordFilter, StoredRecord } from "../store/memory-store.ts";
import { measureText, mergeStatistics, NO_STATISTICS, type TermStatistics } from "../text/rank.ts";
import { TextTerms } from "../text/text-terms.ts";
import { WantedTerms } from "../text/wanted-terms.ts";
import type { LoopTurns } from "./loop-turns.ts";
import type { MemoryParts } from "./parts.ts";
import type { PendingTerms } from "./pending-terms.ts";
import { queuedTexts } from "./queued-texts.ts";
import { isDated } from "./ranking/dates.ts";
import type { Candidate, DateRange } from "./ranking/scored.ts";
import { matchesFilter } from "./record-filter.ts";
import { storedCandidate } from "./session-turns.ts";
import { askStore, type StoreErrorView } from "./store-access.ts";
import { newerId, supersessions } from "./supersessions.ts";

/** The best this many of each side are scored; pages end there. */
const CANDIDATE_COUNT_MAX = 200;
/** Records of one date that are looked at, and dates of a question. */
const DATED_COUNT_MAX = 60;
const DATE_COUNT_MAX = 2;
/** Looking a term up in a kept text costs this much less than making the text's terms. */
const LOOKUP_SHARE = 64;

export interface CandidateParts extends Pick<MemoryParts, "view" | "spill" | "store"> {
  readonly pendingTerms: PendingTerms;
}

export interface CandidatesQuery {
  /** What is counted, and finds records. */
  readonly terms: readonly string[];
  readonly filter: RecordFilter;
  readonly ulidMax?: string | undefined;
  /** What was said then is looked at too, whatever words it holds. */
  readonly dates: readonly DateRange[];
}

export interface FoundCandidates {
  readonly candidates: readonly Candidate[];
  /** All that is queued and counts, oldest first. */
  readonly queued: readonly Candidate[];
  /** Newest queued id that supersedes a record, by the record's. */
  readonly superseded: ReadonlyMap<string, string>;
  readonly statistics: TermStatistics;
  readonly wanted: WantedTerms;
  /** Greatest id in store and queue. */
  readonly newest: string;
  /** Queued records that were not looked at. */
  readonly unsearched: number;
  readonly storeError?: StoreErrorView | undefined;
}

export async function findCandidates(
  parts: CandidateParts,
  query: CandidatesQuery,
  turns: LoopTurns,
): Promise<FoundCandidates> {
  const { terms, filter, ulidMax } = query;
  const wanted = new WantedTerms(terms);
  const { queued, superseded, unloaded } = await queuedCandidates(parts, wanted, turns);
  const answer = await askStore(() =>
    parts.store.candidates({
      ...{ terms, filter, countMax: CANDIDATE_COUNT_MAX },
      ...(ulidMax === undefined ? {} : { ulidMax }),
    }),
  );
  const stored: Candidate[] = [];
  for (const record of answer.value?.candidates ?? []) {
    stored.push(storedCandidate(record, wanted));
    await turns.worked(record.record.surface.length);
  }
  const known = new Set(stored.map(({ ulid }) => ulid));
  const dated = answer.error === undefined ? await saidThen(parts.store, query) : [];
  for (const record of dated) {
    // Days of a question overlap, since their ends are widened.
    if (known.has(record.ulid)) continue;
    known.add(record.ulid);
    stored.push(datedCandidate(record, wanted));
    await turns.worked(2 * record.record.surface.length);
  }
  // A record that moved between the two looks is in both: the store has the last word.
  const others = queued.filter(({ ulid }) => !known.has(ulid));
  const sought = others.filter(({ ulid, record, appendedAt, measured }) => {
    if (ulidMax !== undefined && ulid > ulidMax) return false;
    if (measured.frequencies.size === 0 && !isDated(query, { record, appendedAt })) return false;
    return matchesFilter(filter, record, appendedAt);
  });
  return {
    candidates: [...stored, ...sought].map((each) => withNewerId(each, superseded)),
    queued: others,
    ...{ superseded, wanted },
    statistics: mergeStatistics(
      answer.value ?? NO_STATISTICS,
      terms,
      others.map(({ measured }) => measured),
    ),
    newest: newestOf([answer.value?.newest ?? "", ...queued.map(({ ulid }) => ulid)]),
    unsearched: unloaded,
    storeError: answer.error,
  };
}

/** The candidate with what supersedes it in the queue, too. */
export function withNewerId(
  candidate: Candidate,
  superseded: ReadonlyMap<string, string>,
): Candidate {
  const supersededBy = newerId(candidate.supersededBy, superseded.get(candidate.ulid));
  return { ...candidate, supersededBy };
}

/** The store's records of a time that the question names. */
async function saidThen(
  store: MemoryParts["store"],
  { dates, filter, ulidMax }: CandidatesQuery,
): Promise<StoredRecord[]> {
  const found: StoredRecord[] = [];
  for (const range of dates.slice(0, DATE_COUNT_MAX)) {
    if (!("fromMs" in range)) continue;
    const sinceMs = Math.max(range.fromMs, filter.sinceMs ?? range.fromMs);
    const untilMs = Math.min(range.toMs, filter.untilMs ?? range.toMs);
    const query = {
      ...{ filter: { ...filter, sinceMs, untilMs }, limit: DATED_COUNT_MAX },
      ...(ulidMax === undefined ? {} : { ulidMax }),
    };
    const { value = [] } = await askStore(() => store.timeline(query));
    found.push(...value);
  }
  return found;
}

/** Of a record that came without its length. */
function datedCandidate(record: StoredRecord, wanted: WantedTerms): Candidate {
  return storedCandidate({ ...record, termCount: new TextTerms(record.record).count }, wanted);
}

function newestOf(ulids: readonly string[]): string {
  let newest = "";
  for (const ulid of ulids) if (ulid > newest) newest = ulid;
  return newest;
}

async function queuedCandidates(
  { view, spill, pendingTerms }: CandidateParts,
  wanted: WantedTerms,
  turns: LoopTurns,
) {
  const terms = [...wanted.terms];
  const { envelopes, stateOf, unloaded } = await queuedTexts({ view, spill });
  const queued: Candidate[] = [];
  for (const envelope of envelopes) {
    const { ulid, appendedAt, record } = envelope;
    const text = await pendingTerms.termsOf(envelope, turns);
    const measured = measureText(text, terms);
    await turns.worked((text.chars * terms.length) / LOOKUP_SHARE);
    queued.push({ ulid, appendedAt, record, state: stateOf(ulid), measured });
  }
  return { queued, superseded: supersessions(envelopes), unloaded };
}
