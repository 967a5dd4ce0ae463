/**
 * `memspool drain`: empties the queue now, in this process if no other leads, else through the one
 * that does.
 *
 * Guarantees: as the ingester; returns when nothing is left that can be drained, or says why it
 * stopped. Records that are at fault spend their attempts at once, so that a bad one ends in
 * quarantine instead of keeping the command waiting. Trims the done archive at its end. A leader that died is not waited for: this
 * process takes over as soon as the lease is stale.
 */
import { existsSync } from "node:fs";
import { reportError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../queue/directories.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { listPendingSync } from "../queue/pending-list.ts";
import { countSpilledSync } from "../queue/segment-file.ts";
import { ELECTION_POLL_MS, Election } from "./election.ts";
import type { IngestWorkerData } from "./ingest-messages.ts";
import { Ingester } from "./ingester.ts";
import { LeaderFile } from "./leader-file.ts";
import { openIngestStore } from "./open-ingest-store.ts";
import { trimmingHere } from "./trimming-here.ts";
import { leaseRefused } from "./with-lease.ts";

export interface DrainOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { drained: number; total: number }) => void;
}

export interface DrainResult {
  readonly drained: number;
  readonly quarantined: number;
  readonly remaining: number;
  readonly ms: number;
  /** Why records remain, if any do. */
  readonly reason?: string;
}

/** Drains through whichever process leads. */
interface Flusher {
  flush(input: {
    timeout_ms?: number | undefined;
    signal?: AbortSignal | undefined;
    onProgress?: ((progress: { drained: number; total: number }) => void) | undefined;
  }): Promise<{ drained: number; remaining: number }>;
}

export interface DrainParts extends IngestWorkerData {
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  readonly fs: DurableFsSync;
  readonly memory: Flusher;
}

/**
 * A leader that gets nothing done for this long has a reason, which status shows. Longer than a
 * dead one's lease takes to become stale.
 */
export const LEADER_IDLE_MS_MAX = 30_000;

interface Drained {
  readonly drained: number;
  readonly quarantined: number;
}

/** @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW, UNSAFE_PATH, DATA_DIR_UNUSABLE */
export async function drainHere(parts: DrainParts, options: DrainOptions): Promise<DrainResult> {
  const startedMs = parts.clock.monotonicMs();
  ensureQueueDirectories(parts.fs, parts.layout);
  const election = new Election({ ...parts, onElected: () => {}, onLost: () => {} });
  try {
    const outcome = await drainAsElected(parts, election, options);
    const ms = Math.round(parts.clock.monotonicMs() - startedMs);
    const remaining = countQueued(parts);
    if (remaining === 0) return { ...outcome, remaining, ms };
    return { ...outcome, remaining, ms, reason: options.signal?.aborted ? INTERRUPTED : HELD };
  } finally {
    await election.stop();
  }
}

const INTERRUPTED =
  "The drain was interrupted; they are drained when a server runs, or by the next drain.";
const HELD =
  "They are held by another process, of a newer version of memspool, or arrived meanwhile. Run it " +
  "again: a process that died holds them for ten seconds. If they stay, see `memspool doctor`.";

/** Stands for election again and again while another leads. */
async function drainAsElected(
  parts: DrainParts,
  election: Election,
  options: DrainOptions,
): Promise<Drained> {
  let drained = 0;
  const total = countQueued(parts);
  const report = (now: number) => {
    options.onProgress?.({ drained: now, total: Math.max(total, now) });
  };
  let progressAtMs = parts.clock.monotonicMs();
  while (parts.clock.monotonicMs() - progressAtMs < LEADER_IDLE_MS_MAX) {
    if (await election.try()) {
      const own = await drainLeading(parts, options.signal, (count) => report(drained + count));
      return { ...own, drained: drained + own.drained };
    }
    if (total > 0 && election.obstacle !== undefined) {
      throw leaseRefused(parts.layout, election.obstacle);
    }
    const before = drained;
    const done = await flushLeader(parts, options.signal, (count) => report(before + count));
    drained += done.drained;
    if (done.remaining === 0 || options.signal?.aborted) break;
    if (done.drained > 0) progressAtMs = parts.clock.monotonicMs();
  }
  return { drained, quarantined: 0 };
}

async function drainLeading(
  parts: DrainParts,
  signal: AbortSignal | undefined,
  report: (drained: number) => void,
): Promise<Drained> {
  const leaderFile = new LeaderFile(parts.fs, parts.layout, parts.clock);
  const ingester = new Ingester({
    ...parts,
    random: Math.random,
    openStore: () => openIngestStore(parts.storeFile, parts.layout, parts.events),
    storeIsThere: () => existsSync(parts.storeFile),
    trimming: trimmingHere(parts, parts.layout, parts.clock),
    onReport: (own) => leaderFile.note(own),
  });
  const stop = () => void ingester.stop();
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  let drained = 0;
  const onBatch = (ingested: number) => {
    drained += ingested;
    report(drained);
  };
  try {
    const { quarantined } = await ingester.drain({ dueOrNot: true, onBatch });
    return { drained, quarantined };
  } finally {
    signal?.removeEventListener("abort", stop);
    await ingester.stop();
  }
}

/** Lets the leader drain for one ELECTION_POLL_MS. */
async function flushLeader(
  parts: DrainParts,
  signal: AbortSignal | undefined,
  report: (drained: number) => void,
): Promise<{ drained: number; remaining: number }> {
  const onProgress = (progress: { drained: number }) => report(progress.drained);
  try {
    return await parts.memory.flush({ timeout_ms: ELECTION_POLL_MS, signal, onProgress });
  } catch (error) {
    if (reportError(error).code !== "FLUSH_CANCELLED") throw error;
    return { drained: 0, remaining: 0 };
  }
}

/** Pending and spilled; one that is both for a moment counts twice. */
function countQueued({ fs, layout }: DrainParts): number {
  return listPendingSync(fs, layout).ulids.length + countSpilledSync(fs, layout);
}
