/**
 * Reads the next records of a listing into one batch.
 *
 * Guarantees: bounded by count, bytes and time; verified envelopes only; a record that another
 * process holds is skipped; one that is at fault is set aside and does not stop the batch.
 * Marks are made for failures only: the lease stands for the rest.
 */
import { CaptureQueueSchemaError, MemspoolError } from "../errors.ts";
import type { Claim, Claims } from "../queue/claim.ts";
import { pendingPath } from "../queue/layout.ts";
import type { PendingNames } from "../queue/pending-list.ts";
import { type ReadEnvelope, readEnvelope } from "../queue/read-envelope.ts";
import { type SetAsideParts, spendAttempt } from "../queue/set-aside.ts";
import { type LeaveAloneParts, leaveAlone, putBack } from "./leave-alone.ts";

export const BATCH_READ_BYTES_MAX = 8 * 1_048_576;
export const BATCH_READ_MS_MAX = 1_000;

export interface BatchParts extends SetAsideParts, LeaveAloneParts {
  readonly claims: Claims;
  /** Most records in the next batch: the pace says so. */
  readonly batchRecords: () => number;
  /** Records of a newer program, known since this start; they are not read again. */
  readonly unknownVersions: Set<string>;
}

export interface BatchRecord {
  readonly envelope: ReadEnvelope;
  /** Only for a record that failed before. */
  readonly claim: Claim | undefined;
}

export interface Batch {
  readonly records: readonly BatchRecord[];
  /** Index in the listing behind the last record that was looked at. */
  readonly next: number;
  /** Records that were left for later: held, waiting, or not readable now. */
  readonly skipped: number;
  /** Records that spent an attempt and have more. */
  readonly spent: number;
  readonly quarantined: number;
}

/**
 * The claims in the batch are the caller's to release or to give back.
 * @param from index in the listing to begin at
 * @param dueOrNot takes records whose wait is not over, too
 */
export function readBatch(
  parts: BatchParts,
  listing: PendingNames,
  from: number,
  dueOrNot: boolean,
): Batch {
  const startedMs = parts.clock.monotonicMs();
  const recordsMax = parts.batchRecords();
  const records: BatchRecord[] = [];
  let bytes = 0;
  let skipped = 0;
  let spent = 0;
  let quarantined = 0;
  let next = from;
  for (; next < listing.ulids.length; next++) {
    if (records.length >= recordsMax) break;
    if (parts.clock.monotonicMs() - startedMs > BATCH_READ_MS_MAX) break;
    const ulid = listing.ulids[next] as string;
    const outcome = readOne(parts, ulid, listing.marked.has(ulid), dueOrNot);
    if (outcome === "gone") continue;
    if (outcome === "skipped") skipped++;
    else if (outcome === "spent") spent++;
    else if (outcome === "quarantined") quarantined++;
    else {
      const size = outcome.envelope.bytes.length;
      if (records.length > 0 && bytes + size > BATCH_READ_BYTES_MAX) {
        putBack(outcome.claim); // opens the next batch, where it is read again
        break;
      }
      records.push(outcome);
      bytes += size;
    }
  }
  return { records, next, skipped, spent, quarantined };
}

type NotRead = "gone" | "skipped" | "spent" | "quarantined";

function readOne(
  parts: BatchParts,
  ulid: string,
  marked: boolean,
  dueOrNot: boolean,
): BatchRecord | NotRead {
  if (parts.unknownVersions.has(ulid)) return "skipped";
  let claim: Claim | undefined;
  try {
    if (marked) {
      claim = parts.claims.take(ulid, { dueOrNot });
      if (!claim) return "skipped";
    }
    const envelope = readEnvelope(parts.fs, pendingPath(parts.layout, ulid), ulid);
    if (envelope) return { envelope, claim };
    claim?.release();
    return "gone";
  } catch (error) {
    if (error instanceof CaptureQueueSchemaError) return leaveToNewer(parts, error, ulid, claim);
    if (error instanceof MemspoolError) return spend(parts, error, ulid, claim, dueOrNot);
    leaveAlone(parts, ulid, claim, error);
    return "skipped";
  }
}

function leaveToNewer(
  parts: BatchParts,
  error: CaptureQueueSchemaError,
  ulid: string,
  claim: Claim | undefined,
): NotRead {
  claim?.release();
  parts.unknownVersions.add(ulid);
  parts.events.emit("schema_version_unknown", {
    ulid,
    schema_version: String(error.schemaVersion).slice(0, 32),
  });
  return "skipped";
}

/** The mark or the quarantine may fail on a full disk: that must not stop the batch either. */
function spend(
  parts: BatchParts,
  fault: MemspoolError,
  ulid: string,
  claim: Claim | undefined,
  dueOrNot: boolean,
): NotRead {
  let held = claim;
  try {
    held ??= parts.claims.take(ulid, { dueOrNot });
    if (!held) return "skipped";
    return spendAttempt(parts, held, fault) === "quarantined" ? "quarantined" : "spent";
  } catch (error) {
    leaveAlone(parts, ulid, held, error);
    return "skipped";
  }
}
