import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Purger } from "../../src/ingest/purger.ts";
import { noteBackup } from "../../src/memory/backup/backup-notes.ts";
import { nodeDurableFs } from "../../src/platform/durable-fs.ts";
import { nodeDurableFsSync } from "../../src/platform/durable-fs-sync.ts";
import { Claims } from "../../src/queue/claim.ts";
import { failureCode, MemoryBench, storeIsAway } from "../support/memory-bench.ts";

const UNKNOWN = "01JQ7Z8X9YABCDEFGHJKMNPQRS";
/** Nobody is asked to carry anything out: an answer comes at once. */
const NO_WAIT = { timeout_ms: 0 };

/** A leader that carries out what it is asked to, at once. */
function withLeader(bench: MemoryBench): void {
  const { layout, clock, events, store } = bench;
  const fs = nodeDurableFsSync;
  const purger = new Purger({ fs, layout, clock, events, claims: new Claims(fs, layout, clock) });
  bench.onAskToDrain = () => {
    void purger.run({ openStore: async () => store, isStopping: () => false });
  };
}

async function confirmOf(bench: MemoryBench, wanted: Parameters<typeof bench.memory.forget>[0]) {
  return (await bench.memory.forget(wanted)).confirm ?? "";
}

describe("the dry run and its token", () => {
  it("T6: a call without confirm counts, gives a token and forgets nothing", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.captureStored("alpha");
    const dry = await bench.memory.forget({ ulid });
    expect(dry).toMatchObject({ state: "dry_run", count: 1, ulids: [ulid] });
    expect(dry.confirm).toMatch(/^1-[0-9a-f]{24}$/);
    expect((await bench.memory.get({ ulid })).record.surface).toBe("alpha");
    expect(existsSync(bench.layout.forgetDir)).toBe(false);
    const again = await bench.memory.forget({ ulid, confirm: dry.confirm, dry_run: true });
    expect(again).toEqual(dry);
  });

  it("T6: with the token it is forgotten, and a repeated call says so again", async () => {
    const bench = await MemoryBench.open();
    withLeader(bench);
    const [ulid = ""] = await bench.captureStored("alpha");
    const confirm = await confirmOf(bench, { ulid });
    const done = await bench.memory.forget({ ulid, confirm, reason: "a wrong address" });
    expect(done).toMatchObject({ state: "forgotten", count: 1, ulids: [ulid] });
    expect(await bench.memory.forget({ ulid, confirm })).toMatchObject({ state: "forgotten" });
    expect(await bench.memory.forget({ ulid })).toMatchObject({ state: "dry_run", count: 0 });
    expect(await bench.memory.receipt(ulid)).toEqual({
      ulid,
      state: "forgotten",
      forgotten_at: expect.stringMatching(/^\d{4}-/),
      forget_reason: "a wrong address",
    });
    const failure = await bench.memory.get({ ulid }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("forgotten"),
    });
  });

  it("T6: a filter whose records have changed since asks for a new dry run", async () => {
    const bench = await MemoryBench.open();
    withLeader(bench);
    const filter = { session_id: "s", project: "*" };
    const records = ["one", "two"].map((surface) => ({ surface, session_id: "s" }));
    const ulids = await bench.captureStored(...records);
    const confirm = await confirmOf(bench, { filter });
    const [late = ""] = await bench.capture({ surface: "three", session_id: "s" });
    expect(await failureCode(bench.memory.forget({ filter, confirm }))).toBe("CONFIRM_INVALID");
    expect((await bench.memory.recent({ project: "*" })).records).toHaveLength(3);
    const dry = await bench.memory.forget({ filter });
    expect(dry).toMatchObject({ count: 3, ulids: [...ulids, late] });
    expect(dry.confirm).not.toBe(confirm);
    const done = await bench.memory.forget({ filter, confirm: dry.confirm });
    expect(done).toMatchObject({ state: "forgotten", count: 3 });
    // There is nothing left that the token could stand for.
    expect(await failureCode(bench.memory.forget({ filter, confirm: dry.confirm }))).toBe(
      "CONFIRM_INVALID",
    );
  });

  it("T6: refuses a wrong token, a call that needs one, and one for something else", async () => {
    const bench = await MemoryBench.open();
    const [one = "", two = ""] = await bench.captureStored("alpha", "beta");
    const confirm = await confirmOf(bench, { ulid: one });
    for (const wanted of [
      { ulid: one, confirm: "1-0" },
      { ulid: one, dry_run: false },
      { ulid: two, confirm },
      { filter: { project: "*" }, confirm },
    ]) {
      expect(await failureCode(bench.memory.forget(wanted))).toBe("CONFIRM_INVALID");
    }
    expect((await bench.memory.recent({ project: "*" })).records).toHaveLength(2);
  });

  it("T6: refuses what names nothing, both, or nothing that is there", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("alpha");
    const codes = [];
    for (const wanted of [
      {},
      { ulid, filter: { project: "*" } },
      { filter: {} },
      { ulid: "no id" },
      { ulid, reason: "x".repeat(201) },
      { ulid: UNKNOWN },
    ]) {
      codes.push(await failureCode(bench.memory.forget(wanted)));
    }
    expect(codes).toEqual([...Array(5).fill("INVALID_ARGUMENT"), "NOT_FOUND"]);
    bench.away = storeIsAway();
    expect(await failureCode(bench.memory.forget({ ulid }))).toBe("STORE_UNAVAILABLE");
  });

  it("T6: a filter that finds nothing gives no token", async () => {
    const bench = await MemoryBench.open();
    const dry = await bench.memory.forget({ filter: { session_id: "nobody's" } });
    expect(dry).toMatchObject({ state: "dry_run", count: 0, ulids: [] });
    expect(dry.confirm).toBeUndefined();
  });

  it("T6: a filter finds pending, spilled, quarantined and ingested records, and no others", async () => {
    const bench = await MemoryBench.open({ project: "mine" });
    const of = (surface: string, project = "mine") => ({ surface, project });
    const [stored = ""] = await bench.captureStored(of("one"), of("elsewhere", "other"));
    const ulids = await bench.capture(of("two"), of("three"), of("four"), of("away", "other"));
    const [pending = "", spilled = "", aside = ""] = ulids;
    bench.spill(spilled);
    bench.setAside(aside);
    const dry = await bench.memory.forget({ filter: { tier: "episodic" } });
    expect(dry.ulids).toEqual([stored, pending, spilled, aside].sort());
    const all = await bench.memory.forget({ filter: { project: "*" } });
    expect(all.count).toBe(6);
  });

  it("T6: an alias counts with its record, as one", async () => {
    const bench = await MemoryBench.open();
    withLeader(bench);
    const same = { surface: "said twice", idempotency_key: "k", session_id: "s" };
    const [one = "", two = ""] = await bench.captureStored(same, same);
    const filter = { session_id: "s" };
    const dry = await bench.memory.forget({ filter });
    expect(dry).toMatchObject({ count: 1, ulids: [one] });
    await bench.memory.forget({ filter, confirm: dry.confirm });
    for (const ulid of [one, two]) {
      expect((await bench.memory.receipt(ulid)).state).toBe("forgotten");
    }
  });
});

describe("while it is purged", () => {
  it("S6: every question of every process hides it from the order on, wherever it lies", async () => {
    const bench = await MemoryBench.open();
    const of = (word: string) => ({
      surface: `${word} common`,
      session_id: `${word}-s`,
      tags: [word],
    });
    const [stored = ""] = await bench.captureStored(of("alpha"), of("stays"));
    const [pending = "", spilled = "", aside = ""] = await bench.capture(
      of("beta"),
      of("gamma"),
      of("delta"),
    );
    bench.spill(spilled);
    bench.setAside(aside);
    // Read once before, so that what is kept in memory is hidden, too.
    expect((await bench.memory.search({ query: "common" })).results).toHaveLength(4);
    for (const ulid of [stored, pending, spilled, aside]) {
      const confirm = await confirmOf(bench, { ulid });
      const result = await bench.memory.forget({ ulid, confirm, ...NO_WAIT });
      expect(result).toMatchObject({ state: "purging", request: expect.any(String) });
    }
    for (const ulid of [stored, pending, spilled, aside]) {
      expect(await bench.memory.receipt(ulid)).toEqual({ ulid, state: "purging" });
      expect(await failureCode(bench.memory.get({ ulid }))).toBe("NOT_FOUND");
    }
    const words = (await bench.memory.search({ query: "common" })).results;
    expect(words.map(({ snippet }) => snippet)).toEqual([expect.stringContaining("stays")]);
    const { records = [] } = await bench.memory.recent({ limit: 1 });
    expect(records.map(({ snippet }) => snippet)).toEqual(["stays common"]);
    for (const list of ["sessions", "tags"] as const) {
      const { names = [] } = await bench.memory.recent({ list });
      expect(names.map(({ name }) => name)).toEqual([list === "tags" ? "stays" : "stays-s"]);
    }
    // Again, by id, it is waited for; by filter there is nothing to find any more.
    const again = await bench.memory.forget({ ulid: stored, confirm: "1-any", ...NO_WAIT });
    expect(again.state).toBe("purging");
    const dry = await bench.memory.forget({ filter: { tags: ["alpha"] } });
    expect(dry.count).toBe(0);
  });

  it("S6: costs a look at a name each, as long as nothing was ever forgotten", async () => {
    const bench = await MemoryBench.open();
    await bench.captureStored("alpha");
    const before = bench.disk.calls.length;
    await bench.memory.search({ query: "alpha" });
    const looks = bench.disk.calls
      .slice(before)
      .filter(({ args }) => String(args[0]).startsWith(bench.layout.forgetDir));
    // Once for the pending texts, the spilled ones and the store.
    expect(looks.map(({ method }) => method)).toEqual(["facts", "facts", "facts"]);
    expect(readdirSync(bench.layout.dir)).not.toContain("forget");
  });
});

describe("what it does not reach", () => {
  it("S6: names backups made since the record was captured, and what was put aside", async () => {
    const bench = await MemoryBench.open();
    const note = (at: string, directory: string) =>
      noteBackup(nodeDurableFs, nodeDurableFsSync, bench.home, { at, directory });
    await note("2020-01-01T00:00:00.000Z", "/too/old");
    const [ulid = ""] = await bench.captureStored("alpha");
    await note("2100-01-01T00:00:00.000Z", bench.home);
    await note("2100-01-02T00:00:00.000Z", "/not/there");
    writeFileSync(join(bench.home, "store", "memspool.db.before-20260101T000000000Z"), "");
    mkdirSync(join(bench.home, "before-restore-20260101T000000Z"));
    const { remains } = await bench.memory.forget({ ulid });
    expect(remains).toEqual({
      backups: [
        { directory: "/not/there", at: "2100-01-02T00:00:00.000Z", found: false },
        { directory: bench.home, at: "2100-01-01T00:00:00.000Z", found: true },
      ],
      old_stores: [
        join(bench.home, "store", "memspool.db.before-20260101T000000000Z"),
        join(bench.home, "before-restore-20260101T000000Z"),
      ],
    });
  });
});
