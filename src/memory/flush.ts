/**
 * Waits until what is pending now has left the queue.
 *
 * Guarantees: asks the leading process, wherever it runs, and reports progress; returns when every
 * record that was pending at the call has moved on, or when the time is over, and says what
 * remains. Drains nothing itself.
 */
import { setTimeout as pause } from "node:timers/promises";
import { MemspoolError } from "../errors.ts";
import type { FlushInput, FlushResult } from "./memory.ts";
import type { MemoryParts } from "./parts.ts";
import { checkedNumber } from "./whole-number.ts";

export type FlushParts = Pick<MemoryParts, "view" | "clock" | "askToDrain">;

export const FLUSH_TIMEOUT_DEFAULT_MS = 30_000;
const LOOK_MS = 50;

/** @throws MemspoolError FLUSH_CANCELLED, INVALID_ARGUMENT */
export async function flushQueue(parts: FlushParts, input: FlushInput): Promise<FlushResult> {
  const startedMs = parts.clock.monotonicMs();
  const timeoutMs = checkedNumber("timeout_ms", input.timeout_ms ?? FLUSH_TIMEOUT_DEFAULT_MS, 0);
  refuseIfCancelled(input.signal);
  const wanted = (await parts.view.refresh()).ulids;
  const total = wanted.length;
  let remaining = total;
  if (total > 0) parts.askToDrain();
  input.onProgress?.({ drained: 0, total });
  while (remaining > 0 && parts.clock.monotonicMs() - startedMs < timeoutMs) {
    refuseIfCancelled(input.signal);
    await pause(LOOK_MS, undefined, input.signal ? { signal: input.signal } : {}).catch(() => {
      refuseIfCancelled(input.signal);
    });
    const now = new Set((await parts.view.refresh()).ulids);
    const left = wanted.filter((ulid) => now.has(ulid)).length;
    if (left !== remaining) input.onProgress?.({ drained: total - left, total });
    remaining = left;
  }
  const ms = Math.round(parts.clock.monotonicMs() - startedMs);
  return { drained: total - remaining, remaining, ms };
}

function refuseIfCancelled(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new MemspoolError(
    "FLUSH_CANCELLED",
    "The flush was cancelled. The queue goes on draining by itself; nothing is lost.",
  );
}
