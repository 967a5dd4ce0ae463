import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Memory } from "../../src/memory/memory.ts";
import { failureCode, MemoryBench, storeIsAway } from "../support/memory-bench.ts";

interface Seen {
  readonly search: readonly string[];
  readonly recent: readonly string[];
  readonly text: string;
  readonly receipt: string;
}

/** The record through every operation that can show it. */
async function seen(memory: Memory, ulid: string, word: string): Promise<Seen> {
  const [found, timeline, whole, receipt] = await Promise.all([
    memory.search({ query: word, project: "*" }),
    memory.recent({ project: "*" }),
    memory.get({ ulid }),
    memory.receipt(ulid),
  ]);
  return {
    search: found.results.map((hit) => `${hit.ulid} ${hit.state}`),
    recent: (timeline.records ?? []).map((record) => `${record.ulid} ${record.state}`),
    text: whole.record.surface,
    receipt: receipt.state,
  };
}

describe("read your writes", () => {
  it("S5: shows a capture at once, with the ingester stopped", async () => {
    const { memory } = await MemoryBench.open();
    const { ulid, sha256, appended_at } = await memory.capture({ surface: "a heron at dawn" });
    expect(await seen(memory, ulid, "heron")).toEqual({
      search: [`${ulid} pending`],
      recent: [`${ulid} pending`],
      text: "a heron at dawn",
      receipt: "pending",
    });
    expect(await memory.receipt(ulid)).toEqual({ ulid, state: "pending", sha256, appended_at });
  });

  it("S5: shows what another process captured, also after it has looked before", async () => {
    const bench = await MemoryBench.open();
    await bench.capture("the first heron");
    await bench.memory.search({ query: "heron" });
    const { ulid } = await bench.otherProcess().append({ surface: "a bittern in the reeds" });
    const { search, recent, text, receipt } = await seen(bench.memory, ulid, "bittern");
    expect({ search, text, receipt }).toEqual({
      search: [`${ulid} pending`],
      text: "a bittern in the reeds",
      receipt: "pending",
    });
    expect(recent[0]).toBe(`${ulid} pending`);
    expect(recent).toHaveLength(2);
  });

  it("S5: shows an ingested record from the store", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.captureStored("a heron at dawn");
    expect(await seen(bench.memory, ulid, "heron")).toEqual({
      search: [`${ulid} ingested`],
      recent: [`${ulid} ingested`],
      text: "a heron at dawn",
      receipt: "ingested",
    });
  });

  it("S5: lists a record that is in both places once", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture({ surface: "a heron", project: "birds" });
    await bench.commit(ulid);
    expect(await seen(bench.memory, ulid, "heron")).toEqual({
      search: [`${ulid} ingested`],
      recent: [`${ulid} ingested`],
      text: "a heron",
      receipt: "pending",
    });
    const { names } = await bench.memory.recent({ list: "projects" });
    expect(names).toMatchObject([{ name: "birds", count: 1 }]);
  });

  it("S5: finds a record that moves into the store between the two looks", async () => {
    const bench = await MemoryBench.open();
    const [first = "", second = ""] = await bench.capture("a heron", "a heron again");
    bench.before.candidates = () => bench.ingest(first);
    const { results } = await bench.memory.search({ query: "heron" });
    expect(results.map(({ ulid, state }) => [ulid, state]).sort()).toEqual([
      [first, "ingested"],
      [second, "pending"],
    ]);
    bench.before.timeline = () => bench.ingest(second);
    const { records } = await bench.memory.recent({});
    expect(records?.map(({ ulid, state }) => [ulid, state])).toEqual([
      [second, "ingested"],
      [first, "ingested"],
    ]);
  });

  it("S5: finds a record that is ingested just before its pending file is read", async () => {
    const calls = {
      search: (memory: Memory) => memory.search({ query: "heron" }),
      recent: (memory: Memory) => memory.recent({}),
      get: (memory: Memory, ulid: string) => memory.get({ ulid }),
      receipt: (memory: Memory, ulid: string) => memory.receipt(ulid),
    };
    for (const [name, call] of Object.entries(calls)) {
      const bench = await MemoryBench.open();
      const [ulid = ""] = await bench.capture("a heron at dawn");
      bench.whenLookingAt(bench.path(ulid), () => bench.ingest(ulid));
      const answer = JSON.stringify(await call(bench.memory, ulid));
      expect(answer, name).toContain(`"ulid":"${ulid}"`);
      expect(answer, name).toContain('"state":"ingested"');
      expect(answer, name).not.toContain("unsearched");
    }
  });

  it("S5: finds with the store away what is pending, and says what is missing", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored({ surface: "an ingested heron", session_id: "s" });
    const [ulid = ""] = await bench.capture({ surface: "a pending heron", session_id: "s" });
    bench.away = storeIsAway();
    const store_error = { code: "STORE_UNAVAILABLE", retryable: true };
    const found = await bench.memory.search({ query: "heron" });
    expect(found).toMatchObject({ results: [{ ulid, state: "pending" }], store_error });
    const timeline = await bench.memory.recent({});
    expect(timeline).toMatchObject({ records: [{ ulid }], store_error });
    const sessions = await bench.memory.recent({ list: "sessions" });
    expect(sessions).toMatchObject({ names: [{ name: "s", count: 1 }], store_error });
    expect((await bench.memory.get({ ulid })).record.surface).toBe("a pending heron");
    expect((await bench.memory.receipt(ulid)).state).toBe("pending");
  });

  it("S5: says with the store away that an unknown id may be known to it", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.captureStored("a heron");
    bench.away = storeIsAway();
    expect(await bench.memory.receipt(ulid)).toMatchObject({
      state: "unknown",
      store_error: { code: "STORE_UNAVAILABLE" },
    });
    expect(await failureCode(bench.memory.get({ ulid }))).toBe("STORE_UNAVAILABLE");
  });

  it("S5: shows a quarantined record, also with the store away", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("a heron that nobody could store");
    bench.setAside(ulid);
    for (const away of [undefined, storeIsAway()]) {
      bench.away = away;
      const { record } = await bench.memory.get({ ulid });
      expect(record).toMatchObject({
        surface: "a heron that nobody could store",
        state: "quarantined",
      });
      expect(await bench.memory.receipt(ulid)).toEqual({
        ulid,
        state: "quarantined",
        reason: { code: "STORE_REFUSED", message: "The store refused it." },
      });
    }
    expect((await bench.memory.search({ query: "heron" })).results).toEqual([]);
  });

  it("S5: looks twice before it says unknown", async () => {
    for (const operation of ["get", "receipt"] as const) {
      const bench = await MemoryBench.open();
      const [ulid = ""] = await bench.capture("a heron");
      const bytes = readFileSync(bench.path(ulid));
      bench.setAside(ulid);
      // Somebody puts it back while the store is asked, so that the first look misses it everywhere.
      bench.before[operation === "get" ? "get" : "lookup"] = () => {
        writeFileSync(bench.path(ulid), bytes);
        rmSync(bench.layout.quarantineDir, { recursive: true });
      };
      const answer =
        operation === "get"
          ? (await bench.memory.get({ ulid })).record.state
          : (await bench.memory.receipt(ulid)).state;
      expect(answer, operation).toBe("pending");
    }
  });

  it("S5: an id that nobody has is unknown, and not found", async () => {
    const { memory } = await MemoryBench.open();
    const ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    expect(await memory.receipt(ulid)).toEqual({ ulid, state: "unknown" });
    expect(await failureCode(memory.get({ ulid }))).toBe("NOT_FOUND");
    expect(await failureCode(memory.get({ ulid: "heron" }))).toBe("INVALID_ARGUMENT");
    expect(await failureCode(memory.receipt("heron"))).toBe("INVALID_ARGUMENT");
  });

  it("S5: takes an id in small letters", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("a heron");
    expect((await bench.memory.receipt(ulid.toLowerCase())).ulid).toBe(ulid);
    expect((await bench.memory.get({ ulid: ulid.toLowerCase() })).record.ulid).toBe(ulid);
  });

  it("S5: answers although one pending file can not be read, and counts it as unsearched", async () => {
    const bench = await MemoryBench.open();
    const [bad = "", good = ""] = await bench.capture("a broken heron", "a whole heron");
    bench.disk.fail({ method: "read", errno: "EACCES", pathEnds: `${bad}.json` });
    expect(await bench.memory.search({ query: "heron" })).toMatchObject({
      results: [{ ulid: good }],
      unsearched: 1,
    });
    expect(await bench.memory.recent({})).toMatchObject({
      records: [{ ulid: good }],
      unsearched: 1,
    });
    expect((await bench.memory.receipt(bad)).state).toBe("pending");
    expect(await failureCode(bench.memory.get({ ulid: bad }))).toBe("ENVELOPE_UNREADABLE");
    bench.disk.fail(undefined);
    expect((await bench.memory.search({ query: "heron" })).results).toHaveLength(2);
  });

  it("S5: says of a damaged record what is wrong with it, pending or quarantined", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("a heron");
    const text = readFileSync(bench.path(ulid), "utf8");
    writeFileSync(bench.path(ulid), text.replace("heron", "crane"));
    expect(await bench.memory.receipt(ulid)).toEqual({ ulid, state: "pending" });
    expect(await failureCode(bench.memory.get({ ulid }))).toBe("ENVELOPE_CHECKSUM_MISMATCH");
    bench.setAside(ulid);
    expect((await bench.memory.receipt(ulid)).state).toBe("quarantined");
    expect(await failureCode(bench.memory.get({ ulid }))).toBe("ENVELOPE_CHECKSUM_MISMATCH");
  });

  it("S5: prefers the store's copy to a damaged pending one", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("a heron");
    await bench.commit(ulid);
    writeFileSync(bench.path(ulid), "{");
    expect((await bench.memory.get({ ulid })).record).toMatchObject({
      surface: "a heron",
      state: "ingested",
    });
    expect((await bench.memory.receipt(ulid)).state).toBe("ingested");
  });

  it("T7: resolves a duplicate to the record that it repeats", async () => {
    const bench = await MemoryBench.open();
    const input = { surface: "a heron", idempotency_key: "turn 1" };
    const [first = "", again = ""] = await bench.captureStored(input, input);
    expect(await bench.memory.receipt(again)).toMatchObject({
      ulid: again,
      state: "duplicate",
      duplicate_of: first,
    });
    expect((await bench.memory.get({ ulid: again })).record).toMatchObject({
      ulid: again,
      duplicate_of: first,
      surface: "a heron",
    });
  });

  it("T11: a directory that can not be read is named, for every question", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("a heron");
    const { memory } = bench;
    bench.disk.fail({ method: "names", errno: "EACCES" });
    const missing = `${ulid.slice(0, -1)}${ulid.endsWith("0") ? "1" : "0"}`;
    const calls = {
      search: () => memory.search({ query: "heron" }),
      recent: () => memory.recent({}),
      get: () => memory.get({ ulid: missing }),
      receipt: () => memory.receipt(missing),
      status: () => memory.status(),
      pending: () => memory.pending({}),
      quarantined: () => memory.quarantined({}),
      flush: () => memory.flush({}),
    };
    for (const [name, call] of Object.entries(calls)) {
      expect(await failureCode(call()), name).toBe("DATA_DIR_UNUSABLE");
    }
  });
});
