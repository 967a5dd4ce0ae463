/**
 * The state of memspool and its reasons, one sentence each, pressure first. Pure.
 *
 * failing: captures fail, or will: the last one did, the queue's directory can not be written, the
 * disk is at its hard limit (captures wait and are then refused). degraded: captures are safe and
 * something needs a look; refusing low-priority captures early, or because memory is short, is
 * that. ok: neither.
 */

import { HYSTERESIS_POINTS } from "../pressure/quota.ts";
import { RECORD_TEXT_BYTES_MAX } from "../record/limits.ts";
import type { CaptureCounts } from "./capture.ts";
import type { StatusReport } from "./memory.ts";
import { governorReason, memoryReason } from "./pressure-view.ts";

/** A backlog this old means that nobody drains. */
export const BACKLOG_OLD_MS = 60_000;
/** An order to forget this old is held up by something. */
export const FORGETTING_OLD_MS = 5 * 60_000;

const WHEN_FULL: Readonly<Record<StatusReport["queue"]["overflow"], string>> = {
  spill: "the oldest are spilled to make room",
  reject: "captures are refused until there is room",
  "drop-oldest": "the oldest are dropped to make room",
};

export type Judged = Omit<StatusReport, "state" | "reasons">;

export interface CaptureFacts {
  /** What keeps the next capture from being written, as an errno name. */
  readonly obstacle: string | undefined;
  readonly counts: Pick<CaptureCounts, "failing">;
  readonly alerts: readonly string[];
}

export function stateAndReasons(
  report: Judged,
  captures: CaptureFacts,
): Pick<StatusReport, "state" | "reasons"> {
  const blocking = blockingReasons(report, captures);
  const reasons = [
    ...blocking,
    ...pressureReasons(report),
    ...otherReasons(report, blocking.length > 0),
    ...captures.alerts.map((name) => `There is an alert (${name}); see \`memspool doctor\`.`),
  ];
  const state = blocking.length > 0 ? "failing" : reasons.length > 0 ? "degraded" : "ok";
  return { state, reasons };
}

/** Why captures fail. */
function blockingReasons(report: Judged, { obstacle, counts }: CaptureFacts): string[] {
  const reasons: string[] = [];
  if (report.spool.state === "hard") {
    reasons.push(
      `${report.pressure.reason} Captures wait and are then refused (${heldUp(report.pressure)}): ` +
        `${whatHelps(report)}; see \`memspool diag\`.`,
    );
  }
  if (obstacle !== undefined) {
    reasons.push(
      `Captures fail: the queue's directory can not be written (${obstacle}); see \`memspool doctor\`.`,
    );
  }
  if (counts.failing !== undefined && saysMore(counts.failing, report)) {
    reasons.push(`The last capture failed (${counts.failing}); see \`memspool doctor\`.`);
  }
  return reasons;
}

/** Once every record finds room a refusal for want of it is over; the hard limit is told already. */
function saysMore(failing: string, { spool, spool_bytes }: Judged): boolean {
  if (failing !== "BACKPRESSURE" || spool_bytes === null) return true;
  if (spool.state !== "normal") return spool.state === "soft";
  const roomBytes = (spool_bytes.quota * spool.hard_pct) / 100 - spool_bytes.used;
  return roomBytes < RECORD_TEXT_BYTES_MAX;
}

function pressureReasons(report: Judged): string[] {
  const { spool, pressure } = report;
  const reasons: string[] = [];
  if (spool.state === "soft") {
    reasons.push(
      `${pressure.reason} Captures are slowed once nothing is left to trim${withoutRoom(pressure)}: ` +
        `${whatFrees(report.spool_bytes)}; see \`memspool diag\`.`,
    );
  }
  const memory = memoryReason(pressure.memory);
  const governor = governorReason(pressure.governor);
  return [...reasons, ...[memory, governor].filter((reason) => reason !== "")];
}

/** A capture that is larger than what is left is held up before the hard limit is reached. */
function withoutRoom(pressure: Judged["pressure"]): string {
  if (pressure.waiting + pressure.refused.quota === 0) return "";
  return `, and those without room wait and are then refused (${heldUp(pressure)})`;
}

function heldUp({ waiting, refused }: Judged["pressure"]): string {
  const wait = waiting === 1 ? "1 waits now, " : `${waiting} wait now, `;
  return `${waiting === 0 ? "" : wait}${refused.quota} refused`;
}

/** At the hard limit by its own use, or because the disk is short of room for everybody. */
function whatHelps({ spool, spool_bytes }: Judged): string {
  if (spool_bytes === null) return "make room on the disk, or raise spool.quotaMb";
  const isLeftAt = (spool_bytes.quota * (spool.hard_pct - HYSTERESIS_POINTS)) / 100;
  return spool_bytes.used > isLeftAt ? whatFrees(spool_bytes) : "make room on the disk";
}

/** Of the quota. The archive of this hour is what nobody may trim yet. */
function whatFrees(bytes: Judged["spool_bytes"]): string {
  const { pending = 0, spilled = 0, done = 0, trimmable = 0 } = bytes ?? {};
  return done - trimmable > pending + spilled
    ? "raise spool.quotaMb, or wait: the archive of this hour is trimmed once the hour is over"
    : "raise spool.quotaMb, or see why nothing is ingested";
}

function otherReasons(report: Judged, areFailing: boolean): string[] {
  const { queue, store, ingester, hooks } = report;
  const reasons: string[] = [];
  if (store.error) {
    const safe = areFailing ? "what was captured stays" : "captures stay";
    reasons.push(`The store is away (${store.error.code}); ${safe} safe in the queue.`);
  }
  if (ingester.delayed) {
    const { code, reason, since, failures } = ingester.delayed;
    const times = failures === 1 ? "a failure" : `${failures} failures in a row`;
    const what = reason === "" ? code : `${code}: ${reason}`;
    reasons.push(`The ingester waits after ${times} (${what}), since ${since}.`);
  }
  if (queue.oldest_age_ms !== null && queue.oldest_age_ms > BACKLOG_OLD_MS) {
    const seconds = Math.round(queue.oldest_age_ms / 1_000);
    const who = ingester.leader ? "" : " and no process drains the queue";
    const place = queue.spilled > 0 ? "queued" : "pending";
    reasons.push(`The oldest ${place} record is ${seconds} s old${who}.`);
  }
  if (queue.depth >= queue.max_records) {
    reasons.push(
      `The queue is full, ${queue.depth} records are pending: ${WHEN_FULL[queue.overflow]}.`,
    );
  }
  if (queue.spilled > 0) {
    const records = queue.spilled === 1 ? "1 record is" : `${queue.spilled} records are`;
    reasons.push(`${records} spilled; nothing is lost, they are ingested in their turn.`);
  }
  if (queue.quarantined > 0) {
    const records = queue.quarantined === 1 ? "1 record is" : `${queue.quarantined} records are`;
    reasons.push(`${records} in quarantine; see \`memspool quarantine list\`.`);
  }
  if ((queue.oldest_forgetting_age_ms ?? 0) > FORGETTING_OLD_MS) {
    reasons.push("An order to forget is not carried out; see `memspool doctor`.");
  }
  if (hookFailsNow(hooks)) {
    reasons.push(`The last hook could not capture (${hooks.last_failure_code}); see the doctor.`);
  }
  return reasons;
}

/** A failure that no capture came after. */
function hookFailsNow(hooks: StatusReport["hooks"]): boolean {
  if (hooks.last_failure_at === null) return false;
  return hooks.last_captured_at === null || hooks.last_failure_at >= hooks.last_captured_at;
}
