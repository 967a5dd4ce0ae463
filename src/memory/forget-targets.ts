/**
 * Which records an order to forget is about, wherever they lie.
 *
 * Guarantees: every id under which they are known, so that all of them are hidden at once; pending,
 * spilled and quarantined records are found like ingested ones. What could not be looked at is
 * counted. Bounded by FORGET_COUNT_MAX. Changes nothing on disk.
 */
import { join } from "node:path";
import { MemspoolError } from "../errors.ts";
import { quarantinedUlid } from "../queue/layout.ts";
import { quarantineNames } from "../queue/quarantine-list.ts";
import { lookAtEnvelope } from "../queue/read-pending.ts";
import { FORGET_COUNT_MAX } from "../record/limits.ts";
import type { RecordFilter } from "../store/memory-store.ts";
import type { FilterInput } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { queuedTexts } from "./queued-texts.ts";
import { receiptOf } from "./receipt.ts";
import { matchesFilter, recordFilter } from "./record-filter.ts";

export type TargetParts = Pick<
  MemoryParts,
  "fs" | "queue" | "view" | "spill" | "forgets" | "store" | "project"
>;

export interface ForgetTargets {
  /** One id a record, in order. */
  readonly records: readonly string[];
  /** With all other ids of these, in order. */
  readonly ulids: readonly string[];
  /** Pending and spilled records that nobody could look at. */
  readonly unsearched: number;
  /** What it is already, if there is nothing to confirm. */
  readonly already?: "purging" | "forgotten";
}

const PAGE_COUNT_MAX = 5_000;

/**
 * @throws MemspoolError NOT_FOUND; STORE_UNAVAILABLE: without the store nobody knows a record's
 *   other ids
 */
export async function targetsOfId(parts: TargetParts, ulid: string): Promise<ForgetTargets> {
  const nothing = { records: [], ulids: [ulid], unsearched: 0 };
  const same = await parts.store.sameRecords([ulid]);
  const ulids = [...new Set([ulid, ...same])].sort();
  const { state } = await stateOf(parts, ulid);
  if (state === "purging" || state === "forgotten") return { ...nothing, already: state };
  if (state === "unknown" || state === "dropped") throw notFound(ulid, state);
  return { records: [ulid], ulids, unsearched: 0 };
}

/** @throws MemspoolError INVALID_ARGUMENT for a filter of nothing or of too much; STORE_UNAVAILABLE */
export async function targetsOfFilter(
  parts: TargetParts,
  input: FilterInput,
): Promise<ForgetTargets> {
  if (!Object.values(input).some((value) => value !== undefined)) throw emptyFilter();
  const filter = recordFilter(input, parts.project);
  const records = new Set<string>();
  const hidden = await parts.forgets.hidden();
  const add = (ulid: string) => {
    if (!hidden.has(ulid)) records.add(ulid);
    if (records.size > FORGET_COUNT_MAX) throw tooMany();
  };
  // The direction in which records move; what moves meanwhile is found twice and counted once.
  const { envelopes, unloaded } = await queuedTexts(parts);
  for (const { ulid, record, appendedAt } of envelopes) {
    if (matchesFilter(filter, record, appendedAt)) add(ulid);
  }
  for (let after = ""; ; ) {
    const page = await parts.store.matching({ filter, after, countMax: PAGE_COUNT_MAX });
    for (const ulid of page) add(ulid);
    after = page.at(-1) ?? "";
    if (page.length < PAGE_COUNT_MAX) break;
  }
  const unreadable = await quarantined(parts, filter, add);
  const ulids = await withOtherIds(parts, [...records]);
  if (ulids.length > FORGET_COUNT_MAX) throw tooMany();
  return { records: [...records].sort(), ulids, unsearched: unloaded + unreadable };
}

async function stateOf(parts: TargetParts, ulid: string): Promise<{ state: string }> {
  try {
    const receipt = await receiptOf(parts, ulid);
    if (receipt.state === "unknown" && receipt.store_error !== undefined) {
      throw new MemspoolError("STORE_UNAVAILABLE", receipt.store_error.message);
    }
    return receipt;
  } catch (error) {
    // It may be in a segment that can not be read: what can not be read can be forgotten, too.
    if (error instanceof MemspoolError && error.code === "ENVELOPE_UNREADABLE") {
      return { state: "spilled" };
    }
    throw error;
  }
}

/** @returns how many could not be read */
async function quarantined(
  { fs, queue }: TargetParts,
  filter: RecordFilter,
  add: (ulid: string) => void,
): Promise<number> {
  const { layout } = queue;
  let unreadable = 0;
  for (const name of await quarantineNames(fs, layout)) {
    const ulid = quarantinedUlid(name);
    if (ulid === undefined) continue;
    const look = await lookAtEnvelope(fs, join(layout.quarantineDir, name), ulid);
    if (look?.fault) unreadable++;
    const found = look?.envelope;
    if (found && matchesFilter(filter, found.record, found.appendedAt)) add(ulid);
  }
  return unreadable;
}

async function withOtherIds(parts: TargetParts, records: readonly string[]): Promise<string[]> {
  const all = new Set(records);
  for (let from = 0; from < records.length; from += PAGE_COUNT_MAX) {
    const page = records.slice(from, from + PAGE_COUNT_MAX);
    for (const ulid of await parts.store.sameRecords(page)) all.add(ulid);
  }
  return [...all].sort();
}

function notFound(ulid: string, state: "unknown" | "dropped"): MemspoolError {
  const what =
    state === "unknown"
      ? `No record has the id ${ulid}, so there is nothing to forget`
      : `${ulid} was dropped when the queue was full: nothing of its text is kept`;
  return new MemspoolError(
    "NOT_FOUND",
    `${what}. Take ids from memory_search, memory_recent or a receipt.`,
    { details: { ulid } },
  );
}

function emptyFilter(): MemspoolError {
  return new MemspoolError(
    "INVALID_ARGUMENT",
    'The filter names nothing. Set at least one of its fields; {"project": "*"} is everything.',
  );
}

function tooMany(): MemspoolError {
  return new MemspoolError(
    "INVALID_ARGUMENT",
    `The filter finds more than ${FORGET_COUNT_MAX} ids, the most that one order may hold. Narrow it ` +
      "with since and until, and forget part by part.",
    { details: { limit_count: FORGET_COUNT_MAX } },
  );
}
