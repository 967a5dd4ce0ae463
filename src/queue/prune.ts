/**
 * The oldest records leave a full queue: into a segment (spill), or for good (drop).
 * docs/QUEUE_FORMAT.md, "Overflow".
 *
 * Guarantees: a record goes only while this process holds its mark, so one that a handler works on
 * stays; its envelope was read and proved; a line about it is durable in the audit log before its
 * name is removed; and a spilled one is durable in its segment before that. A crash anywhere leaves
 * it in the queue, in the segment, or in both, which is ingested as one; recovery finishes what
 * was audited. An envelope that can not be read or proved is left to the ingester, which judges it.
 */
import { MemspoolError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import { decodeEnvelope } from "../record/envelope.ts";
import { ENVELOPE_BYTES_MAX } from "../record/limits.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Claim, Claims } from "./claim.ts";
import { pendingPath, type QueueLayout } from "./layout.ts";
import { discardSegment, publishSegment } from "./publish-segment.ts";
import type { ReadEnvelope } from "./read-envelope.ts";
import { SEGMENT_COUNT_MAX } from "./spill-segment.ts";

export interface PruneParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  readonly claims: Claims;
  readonly audit: Pick<AuditLog, "record">;
}

export interface PruneRequest {
  readonly policy: "spill" | "drop-oldest";
  /** Ids of pending records, oldest first. */
  readonly candidates: readonly string[];
  /** How many are to go. */
  readonly wanted: number;
  /** Pending records, for the audit lines. */
  readonly depth: number;
}

/**
 * A victim, and the very file that was read. Known by its time: an inode number may come again with
 * the next file, or differ from look to look where the file system makes it up.
 */
interface Victim extends ReadEnvelope {
  readonly mtimeMs: number;
}

const READS_AT_ONCE = 8;
const SEGMENT_READ_BYTES_MAX = 8 * 1_048_576;

/**
 * @returns how many records left the queue, at most `wanted`
 * @throws the system error of the step that failed; what was audited by then is finished
 */
export async function prune(parts: PruneParts, request: PruneRequest): Promise<number> {
  const startedMs = parts.clock.monotonicMs();
  const { policy, candidates, wanted, depth } = request;
  let gone = 0;
  for (let next = 0; gone < wanted && next < candidates.length; ) {
    const held: Claim[] = [];
    const removed = new Set<string>();
    try {
      const countMax = Math.min(wanted - gone, SEGMENT_COUNT_MAX);
      const chosen = await choose(parts, candidates, next, countMax, held);
      next = chosen.next;
      if (chosen.envelopes.length > 0) await remove(parts, policy, chosen.envelopes, depth - gone);
      for (const { ulid } of chosen.envelopes) removed.add(ulid);
    } catch (error) {
      parts.events.emit("prune_failed", { errno: errnoOf(error) ?? "unknown", wanted });
      throw error;
    } finally {
      for (const claim of held) letGo(claim, removed.has(claim.ulid));
    }
    gone += removed.size;
  }
  const disposition = policy === "spill" ? "spilled" : "dropped";
  if (gone === 0) return 0; // others hold them all, or they are not whole
  const ms = Math.round(parts.clock.monotonicMs() - startedMs);
  parts.events.emit("queue_pruned", { disposition, count: gone, depth_before: depth, ms });
  return gone;
}

/**
 * Claims candidates and reads those that are whole.
 * @param held every claim that was taken, also when this throws: the caller's to let go
 * @returns what was read, and the index behind the last candidate that was looked at
 * @throws the system error of a mark that can not be made
 */
async function choose(
  parts: PruneParts,
  candidates: readonly string[],
  from: number,
  countMax: number,
  held: Claim[],
): Promise<{ envelopes: Victim[]; next: number }> {
  const envelopes: Victim[] = [];
  let next = from;
  let bytes = 0;
  while (
    next < candidates.length &&
    envelopes.length < countMax &&
    bytes < SEGMENT_READ_BYTES_MAX
  ) {
    const claimed: Claim[] = [];
    const groupMax = Math.min(READS_AT_ONCE, countMax - envelopes.length);
    while (next < candidates.length && claimed.length < groupMax) {
      const claim = parts.claims.take(candidates[next++] as string, { dueOrNot: true });
      if (!claim) continue; // another holds it
      held.push(claim);
      claimed.push(claim);
    }
    for (const envelope of await Promise.all(claimed.map(({ ulid }) => readWhole(parts, ulid)))) {
      if (!envelope) continue;
      envelopes.push(envelope);
      bytes += envelope.bytes.length;
    }
  }
  return { envelopes, next };
}

/** undefined if it is gone, damaged, not readable now, or of a newer program. */
async function readWhole(parts: PruneParts, ulid: string): Promise<Victim | undefined> {
  try {
    const path = pendingPath(parts.layout, ulid);
    const { kind, bytes: size, mtimeMs } = await parts.fs.facts(path);
    if (kind !== "file" || size > ENVELOPE_BYTES_MAX) return undefined;
    const bytes = await parts.fs.read(path);
    return { ...decodeEnvelope(bytes, ulid), bytes, mtimeMs };
  } catch (error) {
    if (!(error instanceof MemspoolError) && errnoOf(error) === undefined) throw error;
    return undefined; // not ours to judge here
  }
}

/** A mark that stays keeps what it said of attempts. */
function letGo(claim: Claim, isGone: boolean): void {
  try {
    if (isGone) claim.release();
    else claim.giveBack();
  } catch (error) {
    // The mark grows stale. The others must be let go too: nobody else would do it.
    if (errnoOf(error) === undefined) throw error;
  }
}

async function remove(
  parts: PruneParts,
  policy: PruneRequest["policy"],
  envelopes: readonly Victim[],
  depth: number,
): Promise<void> {
  const segment = policy === "spill" ? await publishSegment(parts, envelopes) : undefined;
  // Crash here: in the segment and in the queue, ingested as one.
  try {
    parts.audit.record(policy === "spill" ? "spilled" : "dropped", envelopes, depth);
  } catch (error) {
    if (segment !== undefined) await discardSegment(parts, segment, envelopes);
    throw error;
  }
  // Crash here: recovery knows by the audit log that these were to go.
  await Promise.all(envelopes.map((victim) => unlinkPending(parts, victim)));
}

/**
 * Only the file that was read: a process that was stopped meanwhile has lost its marks, and what it
 * moved away may be ingested or quarantined by now, and another file of that id be pending.
 */
async function unlinkPending({ fs, layout }: PruneParts, victim: Victim): Promise<void> {
  const path = pendingPath(layout, victim.ulid);
  try {
    const { mtimeMs } = await fs.facts(path);
    if (mtimeMs === victim.mtimeMs) await fs.unlink(path);
  } catch (error) {
    // Gone: ingested meanwhile. Any other failure leaves it pending as well, which loses nothing
    // and which the next count sees.
    if (!isErrno(error, "ENOENT") && errnoOf(error) === undefined) throw error;
  }
}
