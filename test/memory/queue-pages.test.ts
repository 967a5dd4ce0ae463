import { mkdirSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { markPath } from "../../src/queue/layout.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";

describe("queue pages", () => {
  it("R3: lists pending records oldest first, without their texts", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture("a heron", "a crane");
    writeFileSync(markPath(bench.layout, ulids[1] ?? ""), "");
    const page = await bench.memory.pending({});
    expect(page).toEqual({
      total: 2,
      entries: ulids.map((ulid, index) => ({
        ulid,
        appended_at: expect.stringMatching(/Z$/),
        bytes: statSync(bench.path(ulid)).size,
        marked: index === 1,
      })),
    });
  });

  it("R3: pages give each pending record once while others arrive and leave", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture(...Array.from({ length: 7 }, (_, n) => `${n}`));
    const seen: string[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages < 20; pages++) {
      const page = await bench.memory.pending(
        cursor === undefined ? { limit: 2 } : { limit: 2, cursor },
      );
      seen.push(...page.entries.map(({ ulid }) => ulid));
      cursor = page.next_cursor;
      if (cursor === undefined) break;
      if (pages === 0) unlinkSync(bench.path(ulids[1] ?? ""));
      if (pages === 1) await bench.capture("late");
    }
    expect(seen.slice(0, 7)).toEqual(ulids);
    expect(seen).toHaveLength(8);
  });

  it("R3: leaves out a record that is ingested while the page is made", async () => {
    const bench = await MemoryBench.open();
    const [gone = "", stays = ""] = await bench.capture("one", "two");
    bench.whenLookingAt(bench.path(gone), () => bench.ingest(gone));
    const { entries } = await bench.memory.pending({});
    expect(entries.map(({ ulid }) => ulid)).toEqual([stays]);
  });

  it("R3: lists the quarantine with the reasons, and pages through it", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture("one", "two", "three");
    for (const ulid of ulids) bench.setAside(ulid);
    const file = (ulid: string) => `pending-${ulid}.json`;
    const first = await bench.memory.quarantined({ limit: 2 });
    expect(first).toMatchObject({
      total: 3,
      entries: ulids.slice(0, 2).map((ulid) => ({
        ulid,
        file: file(ulid),
        bytes: statSync(join(bench.layout.quarantineDir, file(ulid))).size,
        code: "STORE_REFUSED",
        message: "The store refused it.",
        attempts: 3,
        quarantined_at: expect.stringMatching(/Z$/),
      })),
    });
    const { next_cursor: cursor = "" } = first;
    const rest = await bench.memory.quarantined({ limit: 2, cursor });
    expect(rest.entries.map(({ ulid }) => ulid)).toEqual(ulids.slice(2));
    expect(rest).not.toHaveProperty("next_cursor");
  });

  it("R3: shows an entry whose reason is missing or damaged, and no foreign file", async () => {
    const bench = await MemoryBench.open();
    const [torn = "", bare = ""] = await bench.capture("one", "two");
    for (const ulid of [torn, bare]) bench.setAside(ulid);
    const { quarantineDir } = bench.layout;
    writeFileSync(join(quarantineDir, `pending-${torn}.reason.json`), '{"code":');
    rmSync(join(quarantineDir, `pending-${bare}.reason.json`));
    writeFileSync(join(quarantineDir, "notes.txt"), "by hand");
    const { total, entries } = await bench.memory.quarantined({});
    expect(total).toBe(2);
    for (const entry of entries) {
      expect(entry).toMatchObject({ code: "UNKNOWN", attempts: 0 });
      expect(Date.parse(entry.quarantined_at)).toBeGreaterThan(0);
    }
    bench.whenLookingAt(join(quarantineDir, `pending-${torn}.json`), async () =>
      unlinkSync(join(quarantineDir, `pending-${torn}.json`)),
    );
    expect((await bench.memory.quarantined({})).entries).toMatchObject([{ ulid: bare }]);
  });

  it("R3: is empty without a queue", async () => {
    const { memory } = await MemoryBench.open();
    expect(await memory.pending({})).toEqual({ total: 0, entries: [] });
    expect(await memory.quarantined({})).toEqual({ total: 0, entries: [] });
  });

  it("R3: refuses limits that lead nowhere and cursors of another list", async () => {
    const bench = await MemoryBench.open();
    const ulids = await bench.capture("one", "two", "three", "four");
    for (const ulid of ulids.slice(0, 2)) bench.setAside(ulid);
    const { memory } = bench;
    const { next_cursor: pending = "" } = await memory.pending({ limit: 1 });
    const { next_cursor: quarantined = "" } = await memory.quarantined({ limit: 1 });
    expect(await failureCode(memory.pending({ cursor: quarantined }))).toBe("CURSOR_INVALID");
    expect(await failureCode(memory.quarantined({ cursor: pending }))).toBe("CURSOR_INVALID");
    expect(await failureCode(memory.pending({ cursor: "x" }))).toBe("CURSOR_INVALID");
    expect(await failureCode(memory.pending({ limit: 0 }))).toBe("INVALID_ARGUMENT");
    expect(await failureCode(memory.quarantined({ limit: -1 }))).toBe("INVALID_ARGUMENT");
    expect((await memory.pending({ cursor: pending })).entries).toHaveLength(1);
  });

  it("R3: leaves a directory under a record's name in the list", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("one");
    unlinkSync(bench.path(ulid));
    mkdirSync(bench.path(ulid));
    expect((await bench.memory.pending({})).entries).toMatchObject([{ ulid }]);
    expect(await failureCode(bench.memory.get({ ulid }))).toBe("ENVELOPE_UNREADABLE");
  });
});
