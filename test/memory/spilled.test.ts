import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Memory } from "../../src/memory/memory.ts";
import { encodeAuditLine } from "../../src/queue/audit-line.ts";
import { segmentPath } from "../../src/queue/spill-segment.ts";
import { failureCode, MemoryBench, storeIsAway } from "../support/memory-bench.ts";

/** The record through every operation that can show it. */
async function seen(memory: Memory, ulid: string) {
  const [found, timeline, whole, receipt] = await Promise.all([
    memory.search({ query: "heron", project: "*" }),
    memory.recent({ project: "*" }),
    memory.get({ ulid }),
    memory.receipt(ulid),
  ]);
  const of = (list: readonly { ulid: string; state: string }[] = []) =>
    list.filter((each) => each.ulid === ulid).map(({ state }) => state);
  return {
    search: of(found.results),
    recent: of(timeline.records),
    get: whole.record.state,
    receipt: receipt.state,
  };
}

const everywhere = (state: string) => ({
  search: [state],
  recent: [state],
  get: state,
  receipt: state,
});

/** Notes that a record left the full queue. */
function audit(bench: MemoryBench, ulid: string, disposition: "spilled" | "dropped"): void {
  const line = encodeAuditLine({
    ts: "2026-03-01T09:30:00.000Z",
    reason: "queue_overflow",
    dropped_ulid: ulid,
    appended_at: "2026-03-01T09:00:00.000Z",
    queue_size_before_prune: 10,
    disposition,
    sha256: "ab".repeat(32),
  });
  writeFileSync(bench.layout.auditFile, `${line}\n`, { flag: "a" });
}

describe("spilled records", () => {
  it("S5: are found by every question, with their state and their text", async () => {
    const bench = await MemoryBench.open();
    const { ulid, sha256, appended_at } = await bench.memory.capture({
      surface: "a heron at dawn",
      project: "birds",
    });
    bench.spill(ulid);
    expect(await seen(bench.memory, ulid)).toEqual(everywhere("spilled"));
    expect((await bench.memory.get({ ulid })).record.surface).toBe("a heron at dawn");
    expect(await bench.memory.receipt(ulid)).toEqual({
      ulid,
      state: "spilled",
      sha256,
      appended_at,
    });
    const { names } = await bench.memory.recent({ list: "projects" });
    expect(names).toMatchObject([{ name: "birds", count: 1 }]);
    bench.away = storeIsAway();
    expect(await seen(bench.memory, ulid)).toEqual(everywhere("spilled"));
  });

  it("S5: are shown once while they are in two places, or in three", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture({ surface: "a heron", session_id: "s" });
    const name = bench.copyToSpill(ulid);
    expect(await seen(bench.memory, ulid)).toEqual(everywhere("pending"));
    await bench.commit(ulid);
    const stored = { search: ["ingested"], recent: ["ingested"] };
    expect(await seen(bench.memory, ulid)).toMatchObject({ ...stored, receipt: "pending" });
    unlinkSync(bench.path(ulid));
    expect(await seen(bench.memory, ulid)).toMatchObject({ ...stored, receipt: "spilled" });
    const { names } = await bench.memory.recent({ list: "sessions" });
    expect(names).toMatchObject([{ count: 1 }]);
    await bench.ingestSegment(name);
    expect(await seen(bench.memory, ulid)).toEqual(everywhere("ingested"));
  });

  it("S5: are found exactly once while they move on from look to look", async () => {
    const ask: Record<string, (memory: Memory, ulid: string) => Promise<unknown>> = {
      search: async (memory) => (await memory.search({ query: "heron" })).results,
      recent: async (memory) => (await memory.recent({})).records,
      get: async (memory, ulid) => [(await memory.get({ ulid })).record],
      receipt: async (memory, ulid) => [await memory.receipt(ulid)],
    };
    const storeCall = { search: "candidates", recent: "timeline", get: "get", receipt: "lookup" };
    for (const [name, question] of Object.entries(ask)) {
      // Spilled just before its pending file is read; ingested before its segment is, or before the
      // store is asked.
      for (const moment of ["segment", "store"] as const) {
        const bench = await MemoryBench.open();
        const [ulid = ""] = await bench.capture("a heron");
        bench.whenLookingAt(bench.path(ulid), async () => {
          const segment = bench.spill(ulid);
          const ingest = () => bench.ingestSegment(segment);
          if (moment === "segment") bench.whenLookingAt(segmentPath(bench.layout, segment), ingest);
          else bench.before[storeCall[name as "get"] as "get"] = ingest;
        });
        const state = moment === "segment" ? "ingested" : expect.stringMatching(/spilled|ingested/);
        expect(await question(bench.memory, ulid), `${name} ${moment}`).toMatchObject([
          { ulid, state },
        ]);
      }
    }
  });

  it("S5: are searched up to a bound, and the rest is counted with the pending ones", async () => {
    const bench = await MemoryBench.open({ viewBytesMax: 1_500, spillBytesMax: 3_000 });
    const herons = Array.from({ length: 8 }, (_, n) => `heron ${n} ${"x".repeat(500)}`);
    const ulids = await bench.capture(...herons);
    for (let at = 0; at < 6; at += 2) bench.spill(...ulids.slice(at, at + 2));
    const found = await bench.memory.search({ query: "heron" });
    expect(found.results.map(({ ulid, state }) => [ulid, state]).sort()).toEqual([
      [ulids[0], "spilled"],
      [ulids[1], "spilled"],
      [expect.any(String), "pending"],
    ]);
    expect(found.unsearched).toBe(5);
    expect(await bench.memory.recent({})).toMatchObject({ unsearched: 5 });
    expect(await bench.memory.recent({ list: "sessions" })).toMatchObject({ unsearched: 5 });
    // What is beyond the bound can still be read by its id.
    for (const ulid of ulids) {
      expect((await bench.memory.get({ ulid })).record.surface).toContain("heron");
    }
  });

  it("S5: rank, filter and page like all others", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture(
      { surface: "heron", tags: ["a"] },
      { surface: "heron heron", tags: ["a", ""] },
      { surface: "heron heron heron" },
      { surface: "no bird", tags: ["a"] },
    );
    bench.spill(...ulids.slice(0, 2));
    await bench.ingest(ulids[2] ?? "");
    const { memory } = bench;
    const tagged = await memory.search({ query: "heron", tags: ["a"] });
    expect(tagged.results.map(({ ulid }) => ulid).sort()).toEqual(ulids.slice(0, 2));
    const whole = (await memory.search({ query: "heron" })).results.map(({ ulid }) => ulid);
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await memory.search({ query: "heron", limit: 1, cursor });
      paged.push(...page.results.map(({ ulid }) => ulid));
      cursor = page.next_cursor;
    } while (cursor !== undefined && paged.length < 10);
    expect(paged).toEqual(whole);
    expect(whole).toHaveLength(3);
  });

  it("S5: a damaged segment hides nothing that can be read, and is told of", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture(...Array.from({ length: 20 }, (_, n) => `heron ${n}`));
    const path = segmentPath(bench.layout, bench.spill(...ulids));
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1; // in the first member, of sixteen records
    writeFileSync(path, bytes);
    const { memory } = bench;
    expect(await memory.search({ query: "heron" })).toMatchObject({ unsearched: 16 });
    expect((await memory.receipt(ulids[18] ?? "")).state).toBe("spilled");
    const [lost = ""] = ulids;
    expect(await failureCode(memory.get({ ulid: lost }))).toBe("ENVELOPE_UNREADABLE");
    expect(await failureCode(memory.receipt(lost))).toBe("ENVELOPE_UNREADABLE");
    // Whether the store has it nobody can say while it is away, and once it is there it is known.
    bench.away = storeIsAway();
    expect(await failureCode(memory.get({ ulid: lost }))).toBe("STORE_UNAVAILABLE");
    expect(await memory.receipt(lost)).toMatchObject({
      state: "unknown",
      store_error: { code: "STORE_UNAVAILABLE" },
    });
  });

  it("S5: what the segment names is spilled, however damaged its line", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("a heron");
    writeFileSync(
      bench.path(ulid),
      readFileSync(bench.path(ulid), "utf8").replace("heron", "crane"),
    );
    const name = bench.spill(ulid);
    expect(await bench.memory.receipt(ulid)).toEqual({ ulid, state: "spilled" });
    expect(await failureCode(bench.memory.get({ ulid }))).toBe("ENVELOPE_CHECKSUM_MISMATCH");
    unlinkSync(segmentPath(bench.layout, name));
    expect((await bench.memory.receipt(ulid)).state).toBe("unknown");
  });

  it("T4: a correction shows while it is on its way, pending or spilled", async () => {
    const bench = await MemoryBench.open();
    const [old = "", again = ""] = await bench.captureStored(
      { surface: "a heron", idempotency_key: "k" },
      { surface: "a heron", idempotency_key: "k" },
    );
    const { memory } = bench;
    const correction = async (ulid: string) => (await memory.get({ ulid })).record.superseded_by;
    expect(await correction(old)).toBeUndefined();
    const [first = ""] = await bench.capture({ surface: "a crane", supersedes: [old] });
    expect([await correction(old), await correction(again)]).toEqual([first, first]);
    bench.spill(first);
    expect(await correction(old)).toBe(first);
    const [second = ""] = await bench.captureStored({ surface: "a stork", supersedes: [old] });
    expect(await correction(old)).toBe(second);
    const [third = ""] = await bench.capture({ surface: "an ibis", supersedes: [again] });
    expect([await correction(old), await correction(again)]).toEqual([second, third]);
  });

  it("T4: a queue that can not be listed hides no record that can be read", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.captureStored("a heron");
    bench.disk.fail({ method: "names", errno: "EACCES", pathEnds: "queue" });
    expect((await bench.memory.get({ ulid })).record.surface).toBe("a heron");
  });

  it("T7: what is nowhere was dropped if the audit log says so, and only then", async () => {
    const bench = await MemoryBench.open();
    const [dropped = "", spilled = "", back = ""] = await bench.capture("one", "two", "three");
    for (const ulid of [dropped, spilled, back]) unlinkSync(bench.path(ulid));
    audit(bench, dropped, "dropped");
    audit(bench, spilled, "spilled");
    const { memory } = bench;
    expect(await memory.receipt(dropped)).toEqual({
      ulid: dropped,
      state: "dropped",
      sha256: "ab".repeat(32),
      appended_at: "2026-03-01T09:00:00.000Z",
    });
    expect(await memory.receipt(spilled)).toEqual({ ulid: spilled, state: "unknown" });
    expect(await failureCode(memory.get({ ulid: dropped }))).toBe("NOT_FOUND");
    bench.away = storeIsAway();
    expect(await memory.receipt(dropped)).toMatchObject({
      state: "dropped",
      store_error: { code: "STORE_UNAVAILABLE" },
    });
    bench.away = undefined;
    // Captured again under its id: where it is now counts, not what became of it before.
    audit(bench, back, "dropped");
    await memory.capture({ surface: "three", retry_ulid: back });
    expect((await memory.receipt(back)).state).toBe("pending");
    await bench.ingest(back);
    expect((await memory.receipt(back)).state).toBe("ingested");
  });

  it("T7: is dropped also when it goes just before its pending file is read", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("one");
    bench.whenLookingAt(bench.path(ulid), async () => {
      audit(bench, ulid, "dropped");
      unlinkSync(bench.path(ulid));
    });
    expect((await bench.memory.receipt(ulid)).state).toBe("dropped");
  });

  it("R1: status counts them, their age, and says that the queue is full", async () => {
    const bench = await MemoryBench.open({ maxRecords: 2, overflow: "reject" });
    const ulids = await bench.capture("a", "b", "c", "d", "e");
    bench.spill(...ulids.slice(0, 3));
    const { memory } = bench;
    expect(await memory.status()).toMatchObject({
      state: "degraded",
      reasons: [
        "The queue is full, 2 records are pending: captures are refused until there is room.",
        "3 records are spilled; nothing is lost, they are ingested in their turn.",
      ],
      queue: { depth: 2, spilled: 3, max_records: 2, overflow: "reject" },
    });
    for (const ulid of ulids.slice(3)) await bench.ingest(ulid);
    const { queue, reasons, ingester } = await memory.status();
    expect(queue).toMatchObject({ depth: 0, bytes: 0, spilled: 3 });
    expect(queue.oldest_age_ms).toBeGreaterThanOrEqual(0);
    expect(ingester.lag_ms).toBe(queue.oldest_age_ms);
    expect(reasons).toHaveLength(1);
  });

  it("T9: flush waits for them, and for what is spilled while it waits", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture("a", "b", "c", "d");
    const old = bench.spill(...ulids.slice(0, 2));
    const { memory } = bench;
    expect(await memory.flush({ timeout_ms: 0 })).toMatchObject({ drained: 0, remaining: 4 });
    bench.onAskToDrain = () => bench.ingestSegment(old);
    const steps: number[] = [];
    const result = memory.flush({
      onProgress: ({ drained, total }) => {
        steps.push(drained);
        expect(total).toBe(4);
        if (drained !== 2) return;
        // Its two last ones are spilled before they can be ingested, together with a newer one.
        void bench.capture("e").then(async ([newer = ""]) => {
          const name = bench.spill(...ulids.slice(2), newer);
          await expect.poll(() => bench.spillView.count()).toBe(3);
          await bench.ingestSegment(name);
        });
      },
    });
    expect(await result).toMatchObject({ drained: 4, remaining: 0 });
    expect(steps).toEqual([0, 2, 4]);
  });

  it("T11: a spill that can not be listed is named, for every question about it", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("a heron");
    mkdirSync(bench.layout.overflowDir, { recursive: true });
    const { memory } = bench;
    bench.disk.fail({ method: "names", errno: "EACCES", pathEnds: "overflow" });
    const calls = [
      () => memory.search({ query: "heron" }),
      () => memory.recent({}),
      () => memory.receipt("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
      () => memory.status(),
      () => memory.flush({}),
    ];
    for (const call of calls) expect(await failureCode(call())).toBe("DATA_DIR_UNUSABLE");
  });
});
