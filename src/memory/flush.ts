/**
 * Waits until what is queued now, pending or spilled, has left the queue.
 *
 * Guarantees: asks the leading process, wherever it runs, and reports progress; returns when every
 * record that was queued at the call has moved on, or when the time is over, and says what remains.
 * A record that is spilled while it waits still remains. Drains nothing itself. Segments are not
 * read: one that came meanwhile counts for as many of the awaited records as its range may hold.
 */
import { setTimeout as pause } from "node:timers/promises";
import { MemspoolError } from "../errors.ts";
import type { SegmentName } from "../queue/spill-segment.ts";
import type { FlushInput, FlushResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { checkedNumber } from "./whole-number.ts";

export type FlushParts = Pick<MemoryParts, "view" | "spill" | "clock" | "askToDrain">;

export const FLUSH_TIMEOUT_DEFAULT_MS = 30_000;
const LOOK_MS = 50;

/** @throws MemspoolError FLUSH_CANCELLED, INVALID_ARGUMENT */
export async function flushQueue(parts: FlushParts, input: FlushInput): Promise<FlushResult> {
  const startedMs = parts.clock.monotonicMs();
  const timeoutMs = checkedNumber("timeout_ms", input.timeout_ms ?? FLUSH_TIMEOUT_DEFAULT_MS, 0);
  refuseIfCancelled(input.signal);
  const wanted = await queued(parts);
  const total = wanted.ulids.length + countIn(wanted.segments);
  let remaining = total;
  if (total > 0) parts.askToDrain();
  input.onProgress?.({ drained: 0, total });
  while (remaining > 0 && parts.clock.monotonicMs() - startedMs < timeoutMs) {
    refuseIfCancelled(input.signal);
    await pause(LOOK_MS, undefined, input.signal ? { signal: input.signal } : {}).catch(() => {
      refuseIfCancelled(input.signal);
    });
    const left = Math.min(total, leftOf(wanted, await queued(parts)));
    if (left !== remaining) input.onProgress?.({ drained: total - left, total });
    remaining = left;
  }
  const ms = Math.round(parts.clock.monotonicMs() - startedMs);
  return { drained: total - remaining, remaining, ms };
}

interface Queued {
  /** Pending. */
  readonly ulids: readonly string[];
  readonly segments: readonly SegmentName[];
}

/** Pending first: what is spilled between the two looks is in both, not in neither. */
async function queued({ view, spill }: FlushParts): Promise<Queued> {
  const { ulids } = await view.refresh();
  return { ulids, segments: await spill.segments() };
}

/** How many of the wanted records may still be queued. */
function leftOf(wanted: Queued, now: Queued): number {
  const pending = new Set(now.ulids);
  const known = new Set(wanted.segments.map(({ name }) => name));
  const gone = wanted.ulids.filter((ulid) => !pending.has(ulid));
  let left = wanted.ulids.length - gone.length;
  for (const { name, first, last, count } of now.segments) {
    const mayHold = known.has(name)
      ? count
      : gone.filter((ulid) => ulid >= first && ulid <= last).length;
    left += Math.min(count, mayHold);
  }
  return left;
}

function countIn(segments: readonly SegmentName[]): number {
  return segments.reduce((sum, { count }) => sum + count, 0);
}

function refuseIfCancelled(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new MemspoolError(
    "FLUSH_CANCELLED",
    "The flush was cancelled. The queue goes on draining by itself; nothing is lost.",
  );
}
