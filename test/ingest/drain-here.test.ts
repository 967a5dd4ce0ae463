import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MemspoolError } from "../../src/errors.ts";
import { type DrainParts, drainHere, LEADER_IDLE_MS_MAX } from "../../src/ingest/drain-here.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { markPath } from "../../src/queue/layout.ts";
import { IngestBench, NEVER_MS } from "../support/ingest-bench.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { spill } from "../support/spilled-segments.ts";

type Flush = DrainParts["memory"]["flush"];

const unasked: Flush = async () => {
  throw new Error("nobody else leads");
};

function bench(flush: Flush = unasked) {
  const clock = new ManualClock(Date.now());
  const queue = new IngestBench(clock);
  const parts: DrainParts = {
    layout: queue.layout,
    clock,
    events: queue.events,
    fs: nodeDurableFsSync,
    memory: { flush },
    queueDir: queue.layout.dir,
    storeFile: queue.storeFile,
    attemptsMax: 3,
    batchRecordsMax: 2,
    pollMs: NEVER_MS,
  };
  return { queue, clock, parts };
}

/** Another process leads. */
function lead(queue: IngestBench): void {
  mkdirSync(queue.layout.leasePath, { recursive: true });
}

describe("memspool drain where nobody leads", () => {
  it("I4: empties the queue here, reports progress, and gives the lease back", async () => {
    const { queue, parts } = bench();
    await queue.appendMany(5);
    const progress: [number, number][] = [];
    const result = await drainHere(parts, {
      onProgress: ({ drained, total }) => progress.push([drained, total]),
    });
    expect(result).toMatchObject({ drained: 5, quarantined: 0, remaining: 0 });
    expect(result.reason).toBeUndefined();
    expect(progress).toEqual([
      [2, 5],
      [4, 5],
      [5, 5],
    ]);
    expect(existsSync(queue.layout.leasePath)).toBe(false);
    const note = JSON.parse(readFileSync(queue.layout.leaderFile, "utf8"));
    expect(note.pid).toBe(process.pid);
  });

  it("I4: an empty or missing queue is drained", async () => {
    const { parts, queue } = bench();
    expect(await drainHere(parts, {})).toMatchObject({ drained: 0, remaining: 0 });
    expect(existsSync(queue.storeFile)).toBe(false);
  });

  it("I4: drains spilled records, too, and counts them in its progress and in what remains", async () => {
    const { queue, parts } = bench();
    const ids = await queue.appendMany(5);
    spill(queue.layout, ids.slice(0, 3));
    const progress: [number, number][] = [];
    const interruption = new AbortController();
    const first = await drainHere(parts, {
      signal: interruption.signal,
      onProgress: ({ drained, total }) => {
        progress.push([drained, total]);
        interruption.abort();
      },
    });
    // The segment goes as a whole; two of its records are in the store.
    expect(first).toMatchObject({ drained: 2, remaining: 5 });
    expect(await drainHere(parts, {})).toMatchObject({ drained: 5, remaining: 0 });
    expect(progress).toEqual([[2, 5]]);
    const store = await queue.openSqlite();
    expect((await store.stats()).records).toBe(5);
    await store.close();
  });

  it("Q9: a bad record spends its attempts at once; one that is held stays, with the reason said", async () => {
    const { queue, parts } = bench();
    const [bad, held] = (await queue.append("bad", "held", "good")) as [string, string];
    queue.spoil(bad);
    writeFileSync(markPath(queue.layout, held), "");
    const result = await drainHere(parts, {});
    expect(result).toMatchObject({ drained: 1, quarantined: 1, remaining: 1 });
    expect(result.reason).toContain("held by another process");
    expect(result.reason).toContain("a process that died holds them for ten seconds");
  });

  it("I8: says when the store can not be used, and keeps the records", async () => {
    const { queue, parts } = bench();
    await queue.append("a");
    mkdirSync(queue.storeFile, { recursive: true });
    await expect(drainHere(parts, {})).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(queue.pending()).toHaveLength(1);
    expect(existsSync(queue.layout.leasePath)).toBe(false);
  });

  it("I7: an interruption ends it after the batch in hand, and says so", async () => {
    const { queue, parts } = bench();
    await queue.appendMany(6);
    const interruption = new AbortController();
    const result = await drainHere(parts, {
      signal: interruption.signal,
      onProgress: () => interruption.abort(),
    });
    expect(result).toMatchObject({ drained: 2, remaining: 4 });
    expect(result.reason).toContain("interrupted");
    const again = await drainHere(parts, { signal: interruption.signal });
    expect(again).toMatchObject({ drained: 0, remaining: 4 });
  });
});

describe("memspool drain where another process leads", () => {
  it("I4: asks it, and passes its progress on", async () => {
    const { queue, parts } = bench(async ({ onProgress }) => {
      onProgress?.({ drained: 1, total: 3 });
      const drained = await queue.queue.ingestPending(() => {});
      onProgress?.({ drained, total: 3 });
      return { drained, remaining: 0 };
    });
    await queue.appendMany(3);
    lead(queue);
    const progress: number[] = [];
    const result = await drainHere(parts, { onProgress: ({ drained }) => progress.push(drained) });
    expect(result).toMatchObject({ drained: 3, quarantined: 0, remaining: 0 });
    expect(progress).toEqual([1, 3]);
    expect(existsSync(queue.layout.leasePath)).toBe(true);
  });

  it("I3: takes over when the leader turns out to be gone", async () => {
    let asked = 0;
    const { queue, parts } = bench(async () => {
      if (++asked === 3) rmdirSync(queue.layout.leasePath);
      return { drained: 0, remaining: 2 };
    });
    await queue.appendMany(2);
    lead(queue);
    expect(await drainHere(parts, {})).toMatchObject({ drained: 2, remaining: 0 });
    expect(asked).toBe(3);
  });

  it("I4: gives up on a leader that gets nothing done, not on one that is slow", async () => {
    let progress = 5;
    const { queue, clock, parts } = bench(async () => {
      clock.advance(LEADER_IDLE_MS_MAX / 2);
      return { drained: progress > 0 ? 1 : 0, remaining: progress-- > 0 ? 9 : 9 };
    });
    await queue.appendMany(9);
    lead(queue);
    const result = await drainHere(parts, {});
    expect(result).toMatchObject({ drained: 5, remaining: 9 });
    expect(result.ms).toBe((5 + 2) * (LEADER_IDLE_MS_MAX / 2));
  });

  it("I7: an interruption ends the waiting", async () => {
    const interruption = new AbortController();
    const { queue, parts } = bench(async ({ signal }) => {
      interruption.abort();
      expect(signal?.aborted).toBe(true);
      throw new MemspoolError("FLUSH_CANCELLED", "cancelled");
    });
    await queue.append("a");
    lead(queue);
    const result = await drainHere(parts, { signal: interruption.signal });
    expect(result).toMatchObject({ drained: 0, remaining: 1 });
  });

  it("I4: passes on a failure of the asking", async () => {
    const { queue, parts } = bench();
    await queue.append("a");
    lead(queue);
    await expect(drainHere(parts, {})).rejects.toThrow("nobody else leads");
  });
});
