/** How long captures took over the last minute. */
import { describe, expect, it } from "vitest";
import { AckLatency } from "../../src/pressure/ack-latency.ts";

describe("the latency of acknowledgements", () => {
  it("R1: is 0 where nothing was acknowledged, and one capture is both figures", () => {
    const latency = new AckLatency();
    expect(latency.percentiles(0)).toEqual({ p50Ms: 0, p99Ms: 0 });
    latency.add(4, 0);
    expect(latency.percentiles(1)).toEqual({ p50Ms: 4, p99Ms: 4 });
  });

  it("R1: figures are at most a tenth too high, from 0.03 ms to half a minute", () => {
    for (const ms of [0.03125, 0.2, 1, 1.7, 3, 50, 300, 2_345, 30_000]) {
      const latency = new AckLatency();
      latency.add(ms, 0);
      const { p50Ms } = latency.percentiles(0);
      expect(p50Ms / ms).toBeGreaterThanOrEqual(0.995);
      expect(p50Ms / ms).toBeLessThan(1.1);
    }
  });

  it("R1: the 99th percentile shows the slowest in a hundred, the median does not", () => {
    const latency = new AckLatency();
    for (let n = 0; n < 980; n++) latency.add(1, n);
    for (let n = 0; n < 20; n++) latency.add(300, n);
    const { p50Ms, p99Ms } = latency.percentiles(1_000);
    expect(p50Ms).toBe(1);
    expect(p99Ms).toBeGreaterThanOrEqual(300);
  });

  it("R1: what is older than a minute is forgotten, also when the ring comes round", () => {
    const latency = new AckLatency();
    latency.add(1_000, 500);
    latency.add(1, 59_000);
    expect(latency.percentiles(59_900).p99Ms).toBeGreaterThanOrEqual(1_000);
    expect(latency.percentiles(61_000)).toEqual({ p50Ms: 1, p99Ms: 1 });
    latency.add(2, 60_500);
    expect(latency.percentiles(60_600).p99Ms).toBe(2);
    expect(latency.percentiles(1_000_000)).toEqual({ p50Ms: 0, p99Ms: 0 });
  });

  it("R1: absurd times are counted within bounds", () => {
    const latency = new AckLatency();
    for (const ms of [-5, 0, 1e12]) latency.add(ms, 0);
    expect(latency.percentiles(0).p99Ms).toBeLessThan(33_000);
  });
});
