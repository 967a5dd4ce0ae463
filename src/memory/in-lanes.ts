/**
 * The same work on many items, a few at a time.
 *
 * Guarantees: items are begun in order; when one fails no further one is begun, and the failure is
 * told only when those under way have ended, so that nothing works on behind the caller's back.
 */

/** @throws what the first failing `act` threw */
export async function inLanes<T>(
  items: readonly T[],
  lanesMax: number,
  act: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    try {
      while (next < items.length) await act(items[next++] as T);
    } catch (error) {
      next = items.length;
      throw error;
    }
  };
  const lanes = Array.from({ length: Math.min(lanesMax, items.length) }, lane);
  const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}
