import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { MemspoolError } from "../../src/errors.ts";
import { gatedQueue } from "../../src/memory/gated-queue.ts";
import type { CaptureFailure, CaptureInput, Receipt } from "../../src/memory/memory.ts";
import { GateScene, settle } from "../support/gate-scene.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";

async function open() {
  const scene = new GateScene();
  const bench = await MemoryBench.open({ gate: scene.gate });
  return { scene, bench, memory: bench.memory };
}

const namesIn = ({ layout }: MemoryBench) => {
  try {
    return readdirSync(layout.dir);
  } catch {
    return []; // nothing was written yet
  }
};

describe("captures behind the gate", () => {
  it("P2: nothing of a capture that is held up is on disk, and nobody is told that it is", async () => {
    const { scene, bench, memory } = await open();
    const said: string[] = [];
    scene.look(91);
    const refused = async (surface: string) => {
      said.push(await failureCode(memory.capture({ surface })));
    };
    const delayed = refused("delayed");
    await settle();
    scene.look(100);
    const waiting = refused("waits");
    await settle();
    expect([said, namesIn(bench)]).toEqual([[], []]);
    scene.time.advance(299);
    await settle();
    expect([said, namesIn(bench)]).toEqual([[], []]);
    scene.time.advance(1); // the delay is over, and it is hard now
    await settle();
    scene.time.advance(2_000);
    await Promise.all([delayed, waiting]);
    expect([said, namesIn(bench)]).toEqual([["BACKPRESSURE", "BACKPRESSURE"], []]);
  });

  it("P2: sleeping under a lock: while captures are held up others append, settle and ask", async () => {
    const { scene, bench, memory } = await open();
    await bench.capture("before");
    scene.look(91);
    const delayed = memory.capture({ surface: "delayed" });
    scene.look(100);
    const waiting = memory.capture({ surface: "waiting" });
    await settle();
    expect(scene.gate.facts()).toMatchObject({ delayed: 1, waiting: 1 });
    // Another process, and the ingester, on the same directory.
    await bench.otherProcess().append({ surface: "of another process" });
    expect(await bench.queue.ingestPending(async () => {})).toBe(2);
    expect(await memory.status()).toMatchObject({ queue: { depth: 0 } });
    expect((await memory.search({ query: "heron" })).results).toEqual([]);
    expect((await memory.forget({ filter: { project: "x" } })).count ?? 0).toBe(0);
    scene.look(10);
    const texts = await Promise.all([delayed, waiting].map(async (each) => (await each).ulid));
    expect(new Set(texts).size).toBe(2);
    expect(await bench.queue.pendingCount()).toBe(2);
  });

  it("P2: who sends what can never be stored is told so, and does not wait", async () => {
    const { scene, memory } = await open();
    scene.look(100);
    for (const input of [{}, { surface: 7 }, { surface: "x", priority: "urgent" }, null]) {
      expect(await failureCode(memory.capture(input as CaptureInput))).toBe("RECORD_INVALID");
    }
    const tooLarge = memory.capture({ surface: "x".repeat(1_048_577) });
    expect(await failureCode(tooLarge)).toBe("RECORD_TOO_LARGE");
    expect(scene.gate.facts()).toMatchObject({ waiting: 0, refusedByQuota: 0 });
  });

  it("P2: a record is checked once where nobody is held up", async () => {
    const { scene, bench } = await open();
    let checks = 0;
    const queue = {
      append: bench.queue.append.bind(bench.queue),
      adopt: bench.queue.adopt.bind(bench.queue),
      check: () => void checks++,
    };
    const gated = gatedQueue(queue, scene.gate);
    scene.look(10);
    await gated.append({ surface: "a heron" });
    expect(checks).toBe(0);
    scene.look(100);
    const failing = gated.append({ surface: "a heron", priority: "low" });
    expect(await failureCode(failing)).toBe("BACKPRESSURE");
    expect(checks).toBe(1);
  });

  it("P2: a refusal says that nothing is stored; of a repeat nobody knows", async () => {
    const { scene, bench, memory } = await open();
    const [retry_ulid = ""] = await bench.capture("a heron");
    scene.look(100);
    const refused = (input: CaptureInput) =>
      memory.capture({ priority: "low", ...input }).catch((error: MemspoolError) => error);
    const first = (await refused({ surface: "tea" })) as MemspoolError;
    expect(first).toMatchObject({ code: "BACKPRESSURE", details: { stored: "no" } });
    const repeat = (await refused({ surface: "a heron", retry_ulid })) as MemspoolError;
    expect(repeat.details).toMatchObject({ stored: "unknown", ulid: retry_ulid, reason: "quota" });
    const record = { surface: "egret", priority: "low" } as const;
    const known = { ulid: retry_ulid, appendedAt: "2026-03-01T09:30:00.000Z" };
    const adopted = await gatedQueue(bench.queue, scene.gate)
      .adopt(record, known)
      .catch((error: MemspoolError) => error);
    expect(adopted).toMatchObject({ code: "BACKPRESSURE", details: { stored: "unknown" } });
  });

  it("P2: refusals are failures that are counted, and no failing disk", async () => {
    const { scene, memory } = await open();
    scene.look(100);
    const capturing = memory.captureBatch([
      { surface: "a", priority: "low" },
      { surface: "b", priority: "low" },
    ]);
    const outcomes = (await capturing) as (Receipt | CaptureFailure)[];
    expect(outcomes).toEqual(
      Array(2).fill({
        error: expect.objectContaining({
          ...{ code: "BACKPRESSURE", retryable: true, stored: "no", retry_after_ms: 5_000 },
        }),
      }),
    );
    expect(await memory.status()).toMatchObject({
      state: "ok",
      counters: { captured: 0, capture_failures: 2 },
    });
  });

  it("P2: a disk that fails stays failing through refusals, until a capture is stored", async () => {
    const { scene, bench, memory } = await open();
    bench.disk.fail({ method: "fsync", nth: 1, errno: "EIO" });
    expect(await failureCode(memory.capture({ surface: "a" }))).toBe("CAPTURE_FAILED");
    bench.disk.fail(undefined);
    scene.look(100);
    expect(await failureCode(memory.capture({ surface: "b", priority: "low" }))).toBe(
      "BACKPRESSURE",
    );
    expect(await memory.status()).toMatchObject({ state: "failing" });
    scene.look(10);
    await memory.capture({ surface: "c" });
    expect(await memory.status()).toMatchObject({ state: "ok" });
  });

  it("P2: a capture that fails gives its place back", async () => {
    const { scene, bench, memory } = await open();
    scene.look(10);
    bench.disk.fail({ method: "fsync", nth: 1, errno: "EIO" });
    expect(await failureCode(memory.capture({ surface: "a" }))).toBe("CAPTURE_FAILED");
    bench.disk.fail(undefined);
    expect([scene.gate.inFlight, scene.guard.pendingCount()]).toEqual([0, 0]);
    await memory.capture({ surface: "b" });
    expect([scene.gate.inFlight, scene.guard.pendingCount()]).toEqual([0, 1]);
  });
});
