/**
 * A record's full text, page by page.
 *
 * Guarantees: a record that is anywhere is found, also while it moves. Records move from pending to
 * the spill to the store, or to quarantine, each time durable in the next place before they leave
 * the last, and one round of looks goes the same way. Only a retry leads back, from quarantine to
 * pending: who misses a record on that way finds it in the second round. What can be read is shown,
 * whatever else is away or damaged, with the newest correction of it, queued ones included. A page
 * never splits a surrogate pair and always makes progress.
 */
import { MemspoolError } from "../errors.ts";
import { errnoOf } from "../platform/errno.ts";
import { readPending, readQuarantined } from "../queue/read-pending.ts";
import type { Envelope } from "../record/envelope.ts";
import { ANSWER_CHARS_MAX, GET_CHARS_DEFAULT, GET_CHARS_MAX } from "../record/limits.ts";
import { ulidSchema, withDefaults } from "../record/memory-record.ts";
import type { StoredRecord } from "../store/memory-store.ts";
import type { GetInput, GetResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { queuedTexts } from "./queued-texts.ts";
import { askStore } from "./store-access.ts";
import { newerId, supersessions } from "./supersessions.ts";
import { checkedNumber } from "./whole-number.ts";

export type GetParts = Pick<MemoryParts, "fs" | "queue" | "view" | "spill" | "store" | "forgets">;

type Found = Omit<GetResult["record"], "surface"> & { surface: string };

const LOOKS = 2;
/** Room in an answer for what is not the record. */
const FRAME_CHARS = 400;

/**
 * @throws MemspoolError INVALID_ARGUMENT; NOT_FOUND; STORE_UNAVAILABLE or STORE_TOO_NEW, if it is
 *   nowhere else; the fault of its envelope, if that is all there is of it
 */
export async function getRecord(parts: GetParts, input: GetInput): Promise<GetResult> {
  const ulid = checkedUlid(input.ulid);
  const offset = checkedNumber("offset", input.offset ?? 0, 0);
  const length = checkedNumber("length", input.length ?? GET_CHARS_DEFAULT, 1);
  const corrections = await queuedCorrections(parts);
  const found = withCorrection(await find(parts, ulid), corrections);
  return page(found, offset, Math.min(length, GET_CHARS_MAX));
}

export function checkedUlid(ulid: string): string {
  const parsed = ulidSchema.safeParse(ulid.toUpperCase());
  if (parsed.success) return parsed.data;
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    "ulid is not an id of memspool: it has 26 characters of Crockford's base 32, such as " +
      "01HZX3V5K8Q2R4T6W9Y0A1B2C3.",
  );
}

async function find(parts: GetParts, ulid: string): Promise<Found> {
  const { fs, queue } = parts;
  if ((await parts.forgets.hidden()).has(ulid)) throw notFound(ulid, "is being forgotten");
  let obstacle: MemspoolError | undefined;
  for (let look = 0; look < LOOKS; look++) {
    const pending = await readPending(fs, queue.layout, ulid);
    if (pending?.envelope) return fromEnvelope(pending.envelope, "pending");
    const spilled = await parts.spill.find(ulid);
    if (spilled?.envelope) return fromEnvelope(spilled.envelope, "spilled");
    const stored = await askStore(() => parts.store.get(ulid));
    if (stored.value) return fromStore(stored.value, ulid);
    const quarantined = await readQuarantined(fs, queue.layout, ulid);
    if (quarantined?.envelope) return fromEnvelope(quarantined.envelope, "quarantined");
    const inSpill = spilled?.named ? spilled.fault : undefined;
    obstacle = pending?.fault ?? inSpill ?? quarantined?.fault ?? stored.away ?? spilled?.fault;
  }
  if (obstacle) throw obstacle;
  const known = (await parts.store.lookup([ulid])).get(ulid);
  throw notFound(ulid, known?.state === "forgotten" ? "was forgotten" : undefined);
}

/**
 * Which records are corrected by queued ones. The store tells the corrections that it holds; asked
 * afterwards, it knows those that get there meanwhile.
 */
async function queuedCorrections(parts: GetParts): Promise<ReadonlyMap<string, string>> {
  try {
    return supersessions((await queuedTexts(parts)).envelopes);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return new Map(); // a directory that can not be listed does not hide a record that can be read
  }
}

function withCorrection(found: Found, by: ReadonlyMap<string, string>): Found {
  // An alias is corrected by what names it, and by what names the record that it repeats.
  const queued = newerId(by.get(found.ulid), by.get(found.duplicate_of ?? found.ulid));
  const newest = newerId(found.superseded_by, queued);
  return newest === undefined ? found : { ...found, superseded_by: newest };
}

/** @param fate of a record that was here */
function notFound(ulid: string, fate?: string): MemspoolError {
  const what = fate === undefined ? `No record has the id ${ulid}` : `The record ${ulid} ${fate}`;
  return new MemspoolError(
    "NOT_FOUND",
    `${what}. Take ids from memory_search, memory_recent or a receipt.`,
    { details: { ulid } },
  );
}

function fromEnvelope(
  envelope: Omit<Envelope, "recordJson">,
  state: "pending" | "spilled" | "quarantined",
): Found {
  const { ulid, sha256, appendedAt, record } = envelope;
  return { ulid, ...withDefaults(record), sha256, appended_at: appendedAt, state };
}

function fromStore(stored: StoredRecord, asked: string): Found {
  return {
    ulid: asked,
    ...withDefaults(stored.record),
    sha256: stored.sha256,
    appended_at: stored.appendedAt,
    state: "ingested",
    ...(stored.ulid === asked ? {} : { duplicate_of: stored.ulid }),
    ...(stored.supersededBy === undefined ? {} : { superseded_by: stored.supersededBy }),
  };
}

function page(found: Found, offset: number, length: number): GetResult {
  const text = found.surface;
  const start = onBoundary(text, Math.min(offset, text.length));
  const attributesChars = JSON.stringify({ ...found, surface: "" }).length;
  const room = ANSWER_CHARS_MAX - attributesChars - FRAME_CHARS;
  let end = pageEnd(text, start, length);
  // JSON may escape a character as six: halve until the answer fits, which one character does.
  while (end - start > 2 && JSON.stringify(text.slice(start, end)).length > room) {
    end = pageEnd(text, start, Math.floor((end - start) / 2));
  }
  return {
    record: { ...found, surface: text.slice(start, end) },
    total_chars: text.length,
    ...(end < text.length ? { next_offset: end } : {}),
  };
}

/** At least one character (a surrogate pair is one), so that paging ends. */
function pageEnd(text: string, start: number, length: number): number {
  const end = onBoundary(text, Math.min(start + length, text.length));
  return end > start || end === text.length ? end : Math.min(start + 2, text.length);
}

/** Steps back from the middle of a surrogate pair. */
function onBoundary(text: string, at: number): number {
  const low = text.charCodeAt(at);
  const high = text.charCodeAt(at - 1);
  const inside = low >= 0xdc00 && low <= 0xdfff && high >= 0xd800 && high <= 0xdbff;
  return inside ? at - 1 : at;
}
