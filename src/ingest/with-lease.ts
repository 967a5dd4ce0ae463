/**
 * Holds the ingester's lease while maintenance runs, so that nobody ingests meanwhile.
 *
 * Guarantees: the work begins only with the lease in hand and the lease is given back however it
 * ends; a lease that is lost meanwhile aborts `signal` and makes `requireHeld` throw. Does not
 * guarantee to be alone: a process that was stopped while it led may go on for a moment, as
 * election.ts says, so what must not be written meanwhile has to be locked by itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import { MemspoolError } from "../errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFsSync } from "../platform/durable-fs-sync.ts";
import { ensureQueueDirectories } from "../queue/directories.ts";
import type { QueueLayout } from "../queue/layout.ts";
import { ELECTION_POLL_MS, Election, LEASE_STALE_MS } from "./election.ts";

export interface LeaseParts {
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly fs: DurableFsSync;
}

export interface LeaseOptions {
  /** Longest wait for another's lease. */
  readonly waitMs?: number;
  /** Ends the waiting; what it does to the work is the work's own business. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when another process holds the lease. */
  readonly onWaiting?: (() => void) | undefined;
}

export interface HeldLease {
  /** Aborted when the lease is lost. */
  readonly signal: AbortSignal;
  /** @throws MemspoolError LEASE_HELD if the lease was lost */
  requireHeld(): void;
}

/** A dead process's lease is stale by then, and one poll has seen it. */
export const LEASE_WAIT_MS = LEASE_STALE_MS + 2 * ELECTION_POLL_MS;
const TRY_INTERVAL_MS = 500;

/**
 * @throws MemspoolError LEASE_HELD if another process keeps the lease, DATA_DIR_UNUSABLE if the disk
 *   refuses it; what `act` throws;
 *   the signal's reason if it is aborted while waiting
 */
export async function withLease<T>(
  parts: LeaseParts,
  options: LeaseOptions,
  act: (lease: HeldLease) => Promise<T>,
): Promise<T> {
  ensureQueueDirectories(parts.fs, parts.layout);
  const lost = new AbortController();
  const election = new Election({
    ...parts,
    onElected: () => {},
    onLost: () => lost.abort(leaseLost()),
  });
  try {
    await untilElected(parts, election, options);
    return await act({ signal: lost.signal, requireHeld: () => lost.signal.throwIfAborted() });
  } finally {
    await election.stop();
  }
}

async function untilElected(
  { clock, layout }: LeaseParts,
  election: Election,
  options: LeaseOptions,
) {
  const { waitMs = LEASE_WAIT_MS, signal, onWaiting } = options;
  const startedMs = clock.monotonicMs();
  for (let tries = 0; ; tries++) {
    signal?.throwIfAborted();
    if (await election.try()) return;
    if (election.obstacle !== undefined) throw leaseRefused(layout, election.obstacle);
    if (tries === 0) onWaiting?.();
    const leftMs = waitMs - (clock.monotonicMs() - startedMs);
    if (leftMs <= 0) throw leaseHeld();
    await delay(Math.min(TRY_INTERVAL_MS, leftMs), undefined, { ...(signal && { signal }) });
  }
}

/** The disk took no lease: full, read-only, or not this user's. */
export function leaseRefused({ leasePath: path }: QueueLayout, errno: string): MemspoolError {
  return new MemspoolError(
    "DATA_DIR_UNUSABLE",
    `${path} can not be made (${errno}). Nothing was changed. See whether the disk is full or read-only ` +
      "and belongs to this user (`memspool doctor`), and run it again.",
    { details: { path, errno } },
  );
}

function leaseHeld(): MemspoolError {
  return new MemspoolError(
    "LEASE_HELD",
    "Another process ingests into this store; `memspool status` names it. Nothing was changed. " +
      "Stop the servers that use this data directory and run it again.",
  );
}

function leaseLost(): MemspoolError {
  return new MemspoolError(
    "LEASE_HELD",
    "The ingester's lease was lost meanwhile: this process stood still, or its clock was set. The " +
      "store was left as it is. Run it again.",
  );
}
