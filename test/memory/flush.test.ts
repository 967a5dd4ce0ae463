import { describe, expect, it, vi } from "vitest";
import type { FlushProgress } from "../../src/memory/memory.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";

describe("flush", () => {
  it("T9: asks for a drain and returns when all that was pending has left", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture("one", "two", "three");
    let asked = 0;
    bench.onAskToDrain = async () => {
      asked++;
      for (const ulid of ulids) await bench.ingest(ulid);
    };
    const { drained, remaining, ms } = await bench.memory.flush({});
    expect({ drained, remaining, asked }).toEqual({ drained: 3, remaining: 0, asked: 1 });
    expect(ms).toBeGreaterThanOrEqual(0);
    expect(await bench.queue.pendingCount()).toBe(0);
  });

  it("T9: asks nobody when nothing is pending", async () => {
    const bench = await MemoryBench.open();
    bench.onAskToDrain = () => expect.unreachable("asked");
    const progress: FlushProgress[] = [];
    const result = await bench.memory.flush({ onProgress: (step) => progress.push(step) });
    expect(result).toMatchObject({ drained: 0, remaining: 0 });
    expect(progress).toEqual([{ drained: 0, total: 0 }]);
  });

  it("T9: does not wait for what arrives meanwhile", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("one");
    bench.onAskToDrain = async () => {
      await bench.capture("later");
      await bench.ingest(ulid);
    };
    expect(await bench.memory.flush({})).toMatchObject({ drained: 1, remaining: 0 });
    expect(await bench.queue.pendingCount()).toBe(1);
  });

  it("T9: reports progress, each step once, up to the whole", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture("one", "two", "three");
    const progress: FlushProgress[] = [];
    const looks = () => bench.disk.methods().filter((method) => method === "names").length;
    // One record a step: the next one goes some looks after the one before was reported.
    const ingestNext = async () => {
      const before = looks();
      await vi.waitFor(() => expect(looks()).toBeGreaterThan(before + 2), { timeout: 15_000 });
      await bench.ingest(ulids.shift() ?? "");
    };
    const steps: Promise<void>[] = [];
    const onProgress = (step: FlushProgress) => {
      progress.push(step);
      if (ulids.length > 0) steps.push(ingestNext());
    };
    await bench.memory.flush({ onProgress });
    await Promise.all(steps);
    expect(progress).toEqual([0, 1, 2, 3].map((drained) => ({ drained, total: 3 })));
  });

  it("T9: says what remains when the time is over", async () => {
    const clock = new ManualClock();
    const bench = await MemoryBench.open({ clock });
    const [ulid = ""] = await bench.capture("one", "two");
    bench.onAskToDrain = () => bench.ingest(ulid);
    const onProgress = ({ drained }: FlushProgress) => clock.advance(drained * 5_000);
    const result = await bench.memory.flush({ timeout_ms: 5_000, onProgress });
    expect(result).toEqual({ drained: 1, remaining: 1, ms: 5_000 });
  });

  it("T9: does not wait at all without time, and refuses a time that is none", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("one");
    let asked = 0;
    bench.onAskToDrain = () => asked++;
    expect(await bench.memory.flush({ timeout_ms: 0 })).toMatchObject({ drained: 0, remaining: 1 });
    expect(asked).toBe(1);
    expect(await failureCode(bench.memory.flush({ timeout_ms: -1 }))).toBe("INVALID_ARGUMENT");
  });

  it("T9: can be cancelled while it waits, and before", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("one");
    const controller = new AbortController();
    bench.onAskToDrain = () => setImmediate(() => controller.abort());
    const { signal } = controller;
    expect(await failureCode(bench.memory.flush({ signal }))).toBe("FLUSH_CANCELLED");
    bench.onAskToDrain = () => expect.unreachable("asked");
    expect(await failureCode(bench.memory.flush({ signal }))).toBe("FLUSH_CANCELLED");
    expect(await bench.queue.pendingCount()).toBe(1);
  });
});
