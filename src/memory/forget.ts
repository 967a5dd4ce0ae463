/**
 * Forgetting for good, in two calls: one that counts and gives a token, and one that brings it back.
 *
 * Guarantees: nothing is forgotten without the token of a dry run that found the very same ids. Once
 * the order is durable the records are hidden in every process, whatever dies next; `forgotten` is
 * said only when the order has been carried out everywhere, and `purging` until then. Whoever leads
 * carries it out (ingest/purger.ts); this only asks and waits. Repeating a call on an id does no harm.
 */
import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { MemspoolError } from "../errors.ts";
import { placeOrder } from "../queue/forget-order.ts";
import { FORGET_REASON_BYTES_MAX, FORGET_SAMPLE_COUNT } from "../record/limits.ts";
import { generateUlid } from "../record/record-id.ts";
import type { ForgetInput, ForgetResult } from "./forget-shapes.ts";
import {
  type ForgetTargets,
  type TargetParts,
  targetsOfFilter,
  targetsOfId,
} from "./forget-targets.ts";
import { checkedUlid } from "./get.ts";
import type { MemoryParts } from "./parts.ts";
import { remainsOf } from "./remains.ts";
import { checkedNumber } from "./whole-number.ts";

export type ForgetParts = TargetParts &
  Pick<MemoryParts, "fsSync" | "clock" | "dataDir" | "storeFile" | "askToDrain">;

export const FORGET_TIMEOUT_DEFAULT_MS = 10_000;
const LOOK_MS = 50;
const REASON_DEFAULT = "requested";
const TOKEN_CHARS = 24;

/**
 * @throws MemspoolError INVALID_ARGUMENT, NOT_FOUND, CONFIRM_INVALID, STORE_UNAVAILABLE,
 *   DATA_DIR_UNUSABLE
 */
export async function forgetRecords(parts: ForgetParts, input: ForgetInput): Promise<ForgetResult> {
  const timeoutMs = checkedNumber("timeout_ms", input.timeout_ms ?? FORGET_TIMEOUT_DEFAULT_MS, 0);
  const reason = checkedReason(input.reason);
  const targets = await targetsOf(parts, input);
  const isDry = input.dry_run ?? input.confirm === undefined;
  if (targets.already !== undefined && !isDry)
    return await outcomeOf(parts, targets, timeoutMs, input);
  const token = tokenOf(input, targets);
  if (isDry) return await dryRun(parts, targets, token);
  if (targets.records.length === 0 || input.confirm !== token) throw unconfirmed(targets, input);
  const request = generateUlid();
  const at = new Date(parts.clock.nowMs()).toISOString();
  placeOrder(parts.fsSync, parts.queue.layout, { request, at, reason, ulids: [...targets.ulids] });
  return await outcomeOf(parts, targets, timeoutMs, input, request);
}

async function targetsOf(parts: ForgetParts, input: ForgetInput): Promise<ForgetTargets> {
  const { ulid, filter } = input;
  if (ulid !== undefined && filter === undefined) return targetsOfId(parts, checkedUlid(ulid));
  if (filter !== undefined && ulid === undefined) return targetsOfFilter(parts, filter);
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    "Name either one record by its ulid or several by a filter.",
  );
}

async function dryRun(
  parts: ForgetParts,
  targets: ForgetTargets,
  confirm: string,
): Promise<ForgetResult> {
  const count = targets.records.length;
  const advice =
    targets.already !== undefined
      ? `It is ${targets.already} already.`
      : count === 0
        ? "The filter finds nothing, so there is nothing to forget."
        : "Nothing was forgotten yet. Call again with the same arguments and this confirm.";
  return {
    ...(await described(parts, targets)),
    state: "dry_run",
    ...(count > 0 ? { confirm } : {}),
    advice,
  };
}

/** @param request of the order that was placed; without one an earlier order is waited for */
async function outcomeOf(
  parts: ForgetParts,
  targets: ForgetTargets,
  timeoutMs: number,
  { signal }: ForgetInput,
  request?: string,
): Promise<ForgetResult> {
  const isOver = async () => {
    if (request !== undefined) return !(await parts.forgets.requests()).includes(request);
    const hidden = await parts.forgets.hidden();
    return !targets.ulids.some((ulid) => hidden.has(ulid));
  };
  const startedMs = parts.clock.monotonicMs();
  parts.askToDrain();
  let over = await isOver();
  while (!over && !signal?.aborted && parts.clock.monotonicMs() - startedMs < timeoutMs) {
    await pause(LOOK_MS, undefined, signal ? { signal } : {}).catch(() => {});
    over = await isOver();
  }
  return {
    ...(await described(parts, targets)),
    state: over ? "forgotten" : "purging",
    ...(request === undefined ? {} : { request }),
    ...(over ? {} : { advice: PURGING }),
  };
}

const PURGING =
  "It is hidden from everybody and will not come back. Its content is removed by the server that " +
  "ingests, or by `memspool drain` where none runs; memory_receipt says forgotten when that is done.";

async function described(
  parts: ForgetParts,
  { records, ulids, unsearched }: ForgetTargets,
): Promise<Pick<ForgetResult, "count" | "ulids" | "unsearched" | "remains">> {
  return {
    count: records.length,
    ulids: records.slice(0, FORGET_SAMPLE_COUNT),
    ...(unsearched > 0 ? { unsearched } : {}),
    remains: await remainsOf(parts, ulids),
  };
}

/** Says how many, for whoever reads it, and stands for what was asked and what was found. */
function tokenOf(input: ForgetInput, { records, ulids }: ForgetTargets): string {
  const asked = input.ulid === undefined ? "filter" : "ulid";
  const hash = createHash("sha256")
    .update(JSON.stringify([asked, ulids]))
    .digest("hex");
  return `${records.length}-${hash.slice(0, TOKEN_CHARS)}`;
}

function checkedReason(reason = REASON_DEFAULT): string {
  if (Buffer.byteLength(reason) <= FORGET_REASON_BYTES_MAX && reason.isWellFormed()) {
    return reason.trim() === "" ? REASON_DEFAULT : reason;
  }
  throw new MemspoolError(
    "INVALID_ARGUMENT",
    `reason is longer than ${FORGET_REASON_BYTES_MAX} bytes, or no Unicode text. It is kept for good; ` +
      "say it in a few words.",
    { details: { limit_bytes: FORGET_REASON_BYTES_MAX } },
  );
}

function unconfirmed({ records }: ForgetTargets, { confirm }: ForgetInput): MemspoolError {
  const what =
    confirm === undefined
      ? "Forgetting needs the confirm token of a dry run"
      : records.length === 0
        ? "There is nothing left to forget: an earlier call may have done it"
        : "The token is not that of what is found: it is another's, or what is found has changed since";
  return new MemspoolError(
    "CONFIRM_INVALID",
    `${what}. Nothing was forgotten. Call without confirm to see what would be, and again with the ` +
      "token that it gives; an until in the filter keeps new records out.",
    { details: { count: records.length } },
  );
}
