/**
 * The truth about this data directory now, in one object.
 *
 * Guarantees: never hangs on a store (STORE_ANSWER_MS) and never fails because one is away: that
 * is what it reports. Holds no record text.
 */
import { reportError } from "../errors.ts";
import { quarantineNames } from "../queue/quarantine-list.ts";
import { ulidTimeMs } from "../record/record-id.ts";
import type { CaptureCounts } from "./capture.ts";
import type { AgeBucket, StatusReport } from "./memory.ts";
import type { IngesterView, MemoryParts } from "./parts.ts";

export type StatusParts = Omit<MemoryParts, "health" | "askToDrain" | "onCaptured" | "events">;

const STORE_ANSWER_MS = 2_000;
const NO_HOOKS: StatusReport["hooks"] = {
  captured: 0,
  ignored: 0,
  failures: 0,
  last_captured_at: null,
  last_failure_at: null,
  last_failure_code: null,
};
/** Upper bounds of the age histogram in seconds. */
const AGE_BOUNDS_S = [1, 10, 60, 600, 3_600, 86_400] as const;
const WHEN_FULL: Readonly<Record<StatusReport["queue"]["overflow"], string>> = {
  spill: "the oldest are spilled to make room",
  reject: "captures are refused until there is room",
  "drop-oldest": "the oldest are dropped to make room",
};
/** A backlog this old means that nobody drains. */
export const BACKLOG_OLD_MS = 60_000;
/** An order to forget this old is held up by something. */
export const FORGETTING_OLD_MS = 5 * 60_000;

export async function statusReport(
  parts: StatusParts,
  counts: CaptureCounts,
): Promise<StatusReport> {
  const nowMs = parts.clock.nowMs();
  const [{ pending, segments }, bytes, quarantined, orders, ingester, store] = await Promise.all([
    queued(parts),
    parts.view.pendingBytes(),
    quarantineNames(parts.fs, parts.queue.layout),
    parts.forgets.requests(),
    parts.ingester(),
    storeStatus(parts),
  ]);
  const ages = pending.ulids.map((ulid) => ageOf(ulid, nowMs));
  // The oldest leave a full queue first, and a segment's name begins with its oldest id.
  const oldest = [pending.ulids[0], segments[0]?.first].filter((ulid) => ulid !== undefined).sort();
  const oldestAgeMs = oldest[0] === undefined ? null : ageOf(oldest[0], nowMs);
  const report: Omit<StatusReport, "state" | "reasons"> = {
    version: parts.version,
    pid: process.pid,
    started_at: iso(parts.startedAtMs),
    now: iso(nowMs),
    data_dir: parts.dataDir,
    project: parts.project,
    queue: {
      depth: pending.ulids.length,
      bytes,
      oldest_age_ms: oldestAgeMs,
      age_histogram: ageHistogram(ages),
      quarantined: quarantined.length,
      spilled: segments.reduce((sum, { count }) => sum + count, 0),
      forgetting: orders.length,
      oldest_forgetting_age_ms: orders[0] === undefined ? null : ageOf(orders[0], nowMs),
      max_records: parts.maxRecords,
      overflow: parts.overflow,
    },
    counters: {
      captured: counts.captured,
      capture_failures: counts.failed,
      ingested: ingester.totals.ingested,
      duplicates: ingester.totals.duplicates,
      quarantined: ingester.totals.quarantined,
    },
    ingester: ingesterStatus(ingester, oldestAgeMs),
    store,
    hooks: parts.hooks?.() ?? NO_HOOKS,
    privacy: {
      private_spans: parts.privacy?.settings.privateSpans ?? false,
      secrets: parts.privacy?.settings.secrets ?? false,
      patterns: parts.privacy?.settings.patterns.length ?? 0,
    },
    retention: retentionView(parts.retention, ingester.totals.expired),
  };
  const reasons = reasonsOf(report);
  if (counts.failing === undefined) {
    return { ...report, state: reasons.length > 0 ? "degraded" : "ok", reasons };
  }
  const failing = `The last capture failed (${counts.failing}); see \`memspool doctor\`.`;
  return { ...report, state: "failing", reasons: [failing, ...reasons] };
}

function retentionView(
  { days, projects }: NonNullable<StatusParts["retention"]> = { days: 0, projects: {} },
  forgotten: number,
): StatusReport["retention"] {
  const own = Object.values(projects);
  return { on: [days, ...own].some((each) => each > 0), days, projects: own.length, forgotten };
}

/** Pending first: what is spilled between the two looks is in both, not in neither. */
async function queued({ view, spill }: StatusParts) {
  const pending = await view.refresh();
  return { pending, segments: await spill.segments() };
}

/** One sentence for each thing that needs a look. */
function reasonsOf(report: Omit<StatusReport, "state" | "reasons">): string[] {
  const { queue, store, ingester, hooks } = report;
  const reasons: string[] = [];
  if (store.error) {
    reasons.push(`The store is away (${store.error.code}); captures stay safe in the queue.`);
  }
  if (ingester.delayed) {
    const { code, failures } = ingester.delayed;
    const times = failures === 1 ? "a failure" : `${failures} failures in a row`;
    reasons.push(`The ingester waits after ${times} (${code}).`);
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
export function hookFailsNow(hooks: StatusReport["hooks"]): boolean {
  if (hooks.last_failure_at === null) return false;
  return hooks.last_captured_at === null || hooks.last_failure_at >= hooks.last_captured_at;
}

function ingesterStatus(view: IngesterView, oldestAgeMs: number | null): StatusReport["ingester"] {
  const { leader, lastBatch, delayed } = view;
  return {
    leader: leader && { pid: leader.pid, host: leader.host, since: iso(leader.sinceMs) },
    this_process_leads: view.thisProcessLeads,
    last_batch: lastBatch && { at: iso(lastBatch.atMs), count: lastBatch.count, ms: lastBatch.ms },
    lag_ms: oldestAgeMs ?? 0,
    delayed: delayed && {
      code: delayed.code,
      until: iso(delayed.untilMs),
      failures: delayed.failures,
    },
  };
}

async function storeStatus(
  parts: Pick<MemoryParts, "store" | "storeExists">,
): Promise<StatusReport["store"]> {
  if (!(await parts.storeExists())) {
    return { kind: "sqlite", state: "unopened", records: null, bytes: null, error: null };
  }
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), STORE_ANSWER_MS);
  });
  try {
    // Whatever the store fails with, status is what says so.
    const asked = parts.store.stats().then(
      (value) => ({ value }),
      (error: unknown) => ({ error: reportError(error) }),
    );
    const answer = await Promise.race([asked, silence]);
    if (answer && "value" in answer) {
      const { kind, records, bytes } = answer.value;
      return { kind, state: "ok", records, bytes, error: null };
    }
    const { code, message } = answer?.error ?? {
      code: "STORE_UNAVAILABLE",
      message: `The store gave no answer within ${STORE_ANSWER_MS / 1_000} s.`,
    };
    return {
      kind: "sqlite",
      state: "unavailable",
      records: null,
      bytes: null,
      error: { code, message },
    };
  } finally {
    clearTimeout(timer);
  }
}

function ageOf(ulid: string, nowMs: number): number {
  return Math.max(0, nowMs - ulidTimeMs(ulid));
}

/** @param ages in milliseconds */
export function ageHistogram(ages: readonly number[]): AgeBucket[] {
  const counts = new Array<number>(AGE_BOUNDS_S.length + 1).fill(0);
  for (const ageMs of ages) {
    const index = AGE_BOUNDS_S.findIndex((boundS) => ageMs < boundS * 1_000);
    const bucket = index === -1 ? AGE_BOUNDS_S.length : index;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return counts.map((count, index) => {
    const underS = AGE_BOUNDS_S[index];
    return underS === undefined ? { count } : { under_s: underS, count };
  });
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
