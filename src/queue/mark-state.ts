/** What a mark says of failed attempts, as the JSON in it. Pure. */
import { RETRY_WAIT_MAX_MS } from "./retry-schedule.ts";

/** What a mark remembers of failed attempts. */
export interface MarkState {
  /** Handlers that failed, for whatever reason. */
  readonly attempts: number;
  /** Those of them that were the record's own fault; only these lead to quarantine. */
  readonly faults: number;
  /** Code of the last failure. */
  readonly code?: string;
  /** Not before this time, milliseconds since 1970. */
  readonly retryAtMs?: number;
}

export const NO_ATTEMPTS: MarkState = Object.freeze({ attempts: 0, faults: 0 });

/** A time further away than any wait was written by a wrong clock, and does not count. */
export function isWaiting(state: MarkState, nowMs: number): boolean {
  const waitMs = (state.retryAtMs ?? nowMs) - nowMs;
  return waitMs > 0 && waitMs <= RETRY_WAIT_MAX_MS;
}

export function parseState(content: unknown): MarkState {
  const { attempts, faults, code, retry_at_ms: retryAtMs } = content as Record<string, unknown>;
  return {
    attempts: countOf(attempts),
    faults: countOf(faults),
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof retryAtMs === "number" ? { retryAtMs } : {}),
  };
}

function countOf(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0;
}
