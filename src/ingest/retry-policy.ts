/** How long the ingester waits after a failure that was not a record's fault. Pure. */

export const RETRY_DELAY_MIN_MS = 100;
export const RETRY_DELAY_MAX_MS = 30_000;

/**
 * Exponential back-off with full jitter, so that many processes that lost one store do not come
 * back in step (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 *
 * @param failures consecutive failures, at least 1
 * @param random in [0, 1)
 * @returns milliseconds, at least half of what the failures call for
 */
export function retryDelayMs(failures: number, random: number): number {
  const doublings = Math.min(failures - 1, 20);
  const ceilingMs = Math.min(RETRY_DELAY_MAX_MS, RETRY_DELAY_MIN_MS * 2 ** doublings);
  return Math.round(ceilingMs * (0.5 + random / 2));
}
