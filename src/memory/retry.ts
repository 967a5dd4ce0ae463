/**
 * Sends quarantined records back to the queue, to be tried again.
 *
 * Guarantees: bounded; what one record's file or the disk says against it keeps no other from being
 * tried; the pending limit holds, for a queue that is full takes none back. When some were returned,
 * the ingester is asked to drain. Where the cause is still there, a record comes back to quarantine.
 */
import { MemspoolError } from "../errors.ts";
import { SharedDirectorySync } from "../platform/shared-directory-sync.ts";
import { quarantinedUlid } from "../queue/layout.ts";
import { quarantineNames } from "../queue/quarantine-list.ts";
import { type ReturnOutcome, returnFromQuarantine } from "../queue/quarantine-return.ts";
import { parseSegmentName } from "../queue/spill-segment.ts";
import { RETRY_COUNT_DEFAULT, RETRY_COUNT_MAX } from "../record/limits.ts";
import { checkedUlid } from "./get.ts";
import type { RetryInput, RetryOutcome, RetryResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { checkedNumber } from "./whole-number.ts";

export type RetryParts = Pick<
  MemoryParts,
  "fs" | "queue" | "view" | "clock" | "events" | "maxRecords" | "askToDrain"
>;

/** @throws MemspoolError INVALID_ARGUMENT; NOT_FOUND if nothing of the id is in quarantine */
export async function retryQuarantined(parts: RetryParts, input: RetryInput): Promise<RetryResult> {
  const limit = checkedNumber("limit", input.limit ?? RETRY_COUNT_DEFAULT, 1);
  const files = await filesOf(parts, input.ulid);
  const wanted = files.slice(0, Math.min(limit, RETRY_COUNT_MAX));
  const { fs, clock, events, queue } = parts;
  const directory = new SharedDirectorySync(fs, queue.layout.dir);
  const quarantineDirectory = new SharedDirectorySync(fs, queue.layout.quarantineDir);
  const returnParts = { fs, clock, events, layout: queue.layout, directory, quarantineDirectory };
  let room = parts.maxRecords - (await parts.view.refresh()).ulids.length;
  let returned = 0;
  let looked = 0;
  const outcomes: RetryOutcome[] = [];
  try {
    for (const file of wanted) {
      if (input.signal?.aborted) break;
      const ulid = quarantinedUlid(file);
      const outcome =
        ulid === undefined
          ? segmentStays(file)
          : room > 0
            ? await returnFromQuarantine(returnParts, file)
            : queueFull(parts.maxRecords);
      looked++;
      if (outcome === "returned") returned++;
      if (outcome === "returned" || isDiskFailure(outcome)) {
        room--; // after a failure perhaps: rather one place too few
        queue.noteReturned();
      }
      if (outcome !== "gone") outcomes.push(outcomeOf(file, outcome));
      input.onProgress?.({ done: looked, total: wanted.length });
    }
  } finally {
    await Promise.all([directory.close(), quarantineDirectory.close()]);
    if (returned > 0) parts.askToDrain();
  }
  return { returned, outcomes, remaining: files.length - looked };
}

/** Envelopes oldest first, then damaged segments, which only have to be told of. */
async function filesOf(parts: RetryParts, id: string | undefined): Promise<string[]> {
  const wanted = id === undefined ? undefined : checkedUlid(id);
  const names = await quarantineNames(parts.fs, parts.queue.layout);
  const files = names.filter((name) => wanted === undefined || firstUlid(name) === wanted);
  if (wanted !== undefined && files.length === 0) {
    throw new MemspoolError(
      "NOT_FOUND",
      "No record of this id is in quarantine. memory_receipt tells where it is; " +
        "`memspool quarantine list` shows what is set aside.",
      { details: { ulid: wanted } },
    );
  }
  const isEnvelope = (name: string) => quarantinedUlid(name) !== undefined;
  return [...files.filter(isEnvelope), ...files.filter((name) => !isEnvelope(name))];
}

function firstUlid(file: string): string | undefined {
  return quarantinedUlid(file) ?? parseSegmentName(file)?.first;
}

function outcomeOf(file: string, outcome: "returned" | "pending" | MemspoolError): RetryOutcome {
  const ulid = firstUlid(file) as string;
  if (!(outcome instanceof MemspoolError)) return { ulid, state: "pending" };
  const { code, message } = outcome;
  return { ulid, state: "quarantined", error: { code, message } };
}

/** The disk may have failed after the record was pending. */
function isDiskFailure(outcome: ReturnOutcome): boolean {
  return outcome instanceof MemspoolError && outcome.code === "DATA_DIR_UNUSABLE";
}

function segmentStays(file: string): MemspoolError {
  return new MemspoolError(
    "ENVELOPE_UNREADABLE",
    `${file} is a damaged segment of spilled records and can not be tried again: what could be ` +
      "read of it has been ingested. Keep it for a rescue by hand, or remove it.",
  );
}

function queueFull(maxRecords: number): MemspoolError {
  return new MemspoolError(
    "QUEUE_FULL",
    `${maxRecords} records are pending, which is the limit. It stays in quarantine; retry it when ` +
      "the queue has drained.",
  );
}
