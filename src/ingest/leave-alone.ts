/**
 * What happens to a record when the disk fails and not the record: it stays as it is.
 *
 * Guarantees: spends no attempt, lets go of the claim (this process may take it again at once), and
 * stops nobody else's record. Said once a record, and for REPORTED_MAX records a start at most: a
 * disk that fails for all of them is told by ingest_delayed too.
 */
import type { Events } from "../events/catalogue.ts";
import { errnoOf } from "../platform/errno.ts";
import type { Claim } from "../queue/claim.ts";

export interface LeaveAloneParts {
  readonly events: Events;
  /** Ids that were told of since this start. */
  readonly leftAlone: Set<string>;
}

export const REPORTED_MAX = 1_000;

/** Gives a claim back without a verdict: the mark keeps its attempts. */
export function putBack(claim: Claim | undefined): void {
  claim?.fail(claim.state);
}

/** @throws the error itself if it is no system error: that is a mistake of ours */
export function leaveAlone(
  parts: LeaveAloneParts,
  ulid: string,
  claim: Claim | undefined,
  error: unknown,
): void {
  putBack(claim);
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  if (parts.leftAlone.has(ulid) || parts.leftAlone.size >= REPORTED_MAX) return;
  parts.leftAlone.add(ulid);
  parts.events.emit("envelope_read_failed", { ulid, errno });
}
