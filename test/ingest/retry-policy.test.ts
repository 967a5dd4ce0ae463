import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  RETRY_DELAY_MAX_MS,
  RETRY_DELAY_MIN_MS,
  retryDelayMs,
} from "../../src/ingest/retry-policy.ts";

const failures = fc.integer({ min: 1, max: 1_000_000 });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("the ingester's wait after a failure", () => {
  it("Q9: doubles from the least to the most and stays there", () => {
    const longest = [1, 2, 3, 4, 9, 10, 1_000].map((count) => retryDelayMs(count, 1));
    expect(longest).toEqual([100, 200, 400, 800, 25_600, 30_000, 30_000]);
  });

  it("Q9: is spread over the upper half of what the failures call for", () => {
    fc.assert(
      fc.property(failures, random, (count, share) => {
        const ceilingMs = retryDelayMs(count, 1);
        const delayMs = retryDelayMs(count, share);
        expect(delayMs).toBeGreaterThanOrEqual(ceilingMs / 2);
        expect(delayMs).toBeLessThanOrEqual(ceilingMs);
      }),
    );
    expect(retryDelayMs(5, 0.25)).not.toBe(retryDelayMs(5, 0.75));
  });

  it("Q9: is bounded, and never shorter after more failures", () => {
    fc.assert(
      fc.property(failures, failures, random, (one, other, share) => {
        const [fewer, more] = one < other ? [one, other] : [other, one];
        const delayMs = retryDelayMs(more, share);
        expect(delayMs).toBeGreaterThanOrEqual(retryDelayMs(fewer, share));
        expect(delayMs).toBeGreaterThanOrEqual(RETRY_DELAY_MIN_MS / 2);
        expect(delayMs).toBeLessThanOrEqual(RETRY_DELAY_MAX_MS);
      }),
    );
  });
});
