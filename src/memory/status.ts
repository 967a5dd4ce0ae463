/**
 * The truth about this data directory now, in one object.
 *
 * Guarantees: never hangs on a store (status-store.ts) and never fails because one is away: that is
 * what it reports. Holds no record text.
 */
import { quarantineNames } from "../queue/quarantine-list.ts";
import { ulidTimeMs } from "../record/record-id.ts";
import { alertNames } from "./alert-names.ts";
import type { CaptureCounts } from "./capture.ts";
import { captureObstacle } from "./capture-obstacle.ts";
import type { AgeBucket, StatusReport } from "./memory.ts";
import type { IngesterView, MemoryParts } from "./parts.ts";
import { pressureReport } from "./pressure-report.ts";
import { type Judged, stateAndReasons } from "./status-reasons.ts";
import { storeStatus } from "./status-store.ts";

export type StatusParts = Omit<MemoryParts, "health" | "askToDrain" | "onCaptured" | "events">;

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

export async function statusReport(
  parts: StatusParts,
  counts: CaptureCounts,
): Promise<StatusReport> {
  const nowMs = parts.clock.nowMs();
  const { layout } = parts.queue;
  const [seen, bytes, quarantined, orders, ingester, store, pressure, obstacle, alerts] =
    await Promise.all([
      queued(parts),
      parts.view.pendingBytes(),
      quarantineNames(parts.fs, layout),
      parts.forgets.requests(),
      parts.ingester(),
      storeStatus(parts),
      pressureReport(parts.pressure),
      captureObstacle(layout.dir),
      alertNames(parts.fs, parts.dataDir),
    ]);
  const { pending, segments } = seen;
  const ages = pending.ulids.map((ulid) => ageOf(ulid, nowMs));
  // The oldest leave a full queue first, and a segment's name begins with its oldest id.
  const oldest = [pending.ulids[0], segments[0]?.first].filter((ulid) => ulid !== undefined).sort();
  const oldestAgeMs = oldest[0] === undefined ? null : ageOf(oldest[0], nowMs);
  const report: Judged = {
    version: parts.version,
    pid: process.pid,
    started_at: iso(parts.startedAtMs),
    now: iso(nowMs),
    data_dir: parts.dataDir,
    project: parts.project,
    spool: pressure.spool,
    spool_bytes: pressure.spool_bytes,
    pressure: pressure.pressure,
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
    ingest_rate: ingester.ratePerS,
    store,
    events: pressure.events,
    hooks: parts.hooks?.() ?? NO_HOOKS,
    privacy: {
      private_spans: parts.privacy?.settings.privateSpans ?? false,
      secrets: parts.privacy?.settings.secrets ?? false,
      patterns: parts.privacy?.settings.patterns.length ?? 0,
    },
    retention: retentionView(parts.retention, ingester.totals.expired),
  };
  return { ...report, ...stateAndReasons(report, { obstacle, counts, alerts }) };
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

function ingesterStatus(view: IngesterView, oldestAgeMs: number | null): StatusReport["ingester"] {
  const { leader, lastBatch, delayed } = view;
  return {
    leader: leader && { pid: leader.pid, host: leader.host, since: iso(leader.sinceMs) },
    this_process_leads: view.thisProcessLeads,
    last_batch: lastBatch && { at: iso(lastBatch.atMs), count: lastBatch.count, ms: lastBatch.ms },
    lag_ms: oldestAgeMs ?? 0,
    delayed: delayed && {
      code: delayed.code,
      reason: delayed.reason,
      since: iso(delayed.sinceMs),
      until: iso(delayed.untilMs),
      failures: delayed.failures,
    },
  };
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
