/**
 * `memspool drain`: empties the queue now, in this process if no other leads, else through the one
 * that does.
 *
 * Guarantees: as the ingester; returns when nothing is left that can be drained, or says why it
 * stopped. Records that are at fault spend their attempts at once, so that a bad one ends in
 * quarantine instead of keeping the command waiting.
 */
import { reportError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../queue/directories.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { listPendingSync } from "../queue/pending-list.ts";
import { Election } from "./election.ts";
import type { IngestWorkerData } from "./ingest-messages.ts";
import { Ingester } from "./ingester.ts";
import { openIngestStore } from "./open-ingest-store.ts";

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

/** A leader that does not drain for this long has a reason, which status shows. */
const LEADER_TIMEOUT_MS = 600_000;

/** @throws MemspoolError STORE_UNAVAILABLE, STORE_TOO_NEW, UNSAFE_PATH, DATA_DIR_UNUSABLE */
export async function drainHere(parts: DrainParts, options: DrainOptions): Promise<DrainResult> {
  const startedMs = parts.clock.monotonicMs();
  ensureQueueDirectories(parts.fs, parts.layout);
  const election = new Election({ ...parts, onElected: () => {}, onLost: () => {} });
  try {
    const outcome = (await election.try())
      ? await drainLeading(parts, options)
      : await drainThroughLeader(parts, options);
    const ms = Math.round(parts.clock.monotonicMs() - startedMs);
    const remaining = listPendingSync(parts.fs, parts.layout).ulids.length;
    return { ...outcome, remaining, ms, ...(remaining > 0 ? { reason: REASON } : {}) };
  } finally {
    await election.stop();
  }
}

const REASON =
  "They are held by another process, of a newer version of memspool, or arrived meanwhile; see `memspool status`.";

async function drainLeading(parts: DrainParts, options: DrainOptions) {
  const total = listPendingSync(parts.fs, parts.layout).ulids.length;
  const ingester = new Ingester({
    ...parts,
    random: Math.random,
    openStore: () => openIngestStore(parts.storeFile, parts.layout, parts.events),
    onReport: () => {},
  });
  const stop = () => void ingester.stop();
  options.signal?.addEventListener("abort", stop, { once: true });
  let drained = 0;
  const onBatch = (ingested: number) => {
    drained += ingested;
    options.onProgress?.({ drained, total: Math.max(total, drained) });
  };
  try {
    const { quarantined } = await ingester.drain({ dueOrNot: true, onBatch });
    return { drained, quarantined };
  } finally {
    options.signal?.removeEventListener("abort", stop);
    await ingester.stop();
  }
}

async function drainThroughLeader(parts: DrainParts, options: DrainOptions) {
  const { drained } = await parts.memory
    .flush({
      timeout_ms: LEADER_TIMEOUT_MS,
      signal: options.signal,
      onProgress: options.onProgress,
    })
    .catch((error: unknown) => {
      if (reportError(error).code === "FLUSH_CANCELLED") return { drained: 0 };
      throw error;
    });
  return { drained, quarantined: 0 };
}
