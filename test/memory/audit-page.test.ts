import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import type { AuditPage } from "../../src/memory/memory.ts";
import { encodeAuditLine } from "../../src/queue/audit-line.ts";
import type { QueueLayout } from "../../src/queue/layout.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";
import {
  auditLine,
  auditUlid,
  numbers,
  openAudit,
  victim,
  writeAuditFile,
} from "../support/overflow-audit-bench.ts";

let bench: MemoryBench;
let layout: QueueLayout;
beforeEach(async () => {
  bench = await MemoryBench.open();
  layout = bench.layout;
  await bench.capture("words");
});

async function allPages(limit: number, between: (page: AuditPage) => void = () => {}) {
  const ids: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 100; pages++) {
    const page = await bench.memory.audited(cursor === undefined ? { limit } : { limit, cursor });
    ids.push(...page.entries.map(({ dropped_ulid }) => dropped_ulid));
    cursor = page.next_cursor;
    if (cursor === undefined) return ids;
    between(page);
  }
  throw new Error("the pages do not end");
}

describe("audited", () => {
  it("R3: a queue that never overflowed has an empty page", async () => {
    const none = { files: 0, bytes: 0, spilled: 0, dropped: 0, damaged: 0 };
    expect(await bench.memory.audited({})).toEqual({
      total: 0,
      entries: [],
      totals: { ...none, deleted: { ...none, incomplete: false } },
    });
  });

  it("R3: lists lines as they lie there, newest first, with totals", async () => {
    const dropped = auditLine(3, { disposition: "dropped" });
    writeAuditFile(layout.auditFile, [1, 2]);
    appendFileSync(layout.auditFile, `torn\n${encodeAuditLine(dropped)}\n`);
    const page = await bench.memory.audited({});
    expect(page.entries).toEqual([dropped, auditLine(2), auditLine(1)]);
    const bytes = readFileSync(layout.auditFile).length;
    expect(page.totals).toMatchObject({ files: 1, bytes, spilled: 2, dropped: 1, damaged: 1 });
    expect(page.total).toBe(3);
  });

  it("R3: pages over all files give each line once, whatever the page's size", async () => {
    writeAuditFile(`${layout.auditFile}.2`, numbers(1, 7));
    writeAuditFile(`${layout.auditFile}.1`, numbers(8, 9));
    writeAuditFile(layout.auditFile, numbers(10, 14));
    const newestFirst = numbers(1, 14).reverse().map(auditUlid);
    for (const limit of numbers(1, 15)) expect(await allPages(limit)).toEqual(newestFirst);
  });

  it("R3: lines that are added and files that are renamed between pages change nothing", async () => {
    writeAuditFile(`${layout.auditFile}.1`, numbers(1, 6));
    writeAuditFile(layout.auditFile, numbers(7, 12));
    let turn = 0;
    const ids = await allPages(2, () => {
      turn++;
      appendFileSync(layout.auditFile, `${encodeAuditLine(auditLine(100 + turn))}\n`);
      if (turn !== 2) return;
      renameSync(`${layout.auditFile}.1`, `${layout.auditFile}.2`);
      renameSync(layout.auditFile, `${layout.auditFile}.1`);
      writeAuditFile(layout.auditFile, [200]);
    });
    expect(ids).toEqual(numbers(1, 12).reverse().map(auditUlid));
  });

  it("R3: the page behind a file that is gone, or was made anew, is refused", async () => {
    writeAuditFile(layout.auditFile, numbers(1, 5));
    const { next_cursor: cursor = "" } = await bench.memory.audited({ limit: 2 });
    const kept = readFileSync(layout.auditFile);
    writeFileSync(layout.auditFile, Buffer.alloc(kept.length, "x"));
    expect(await failureCode(bench.memory.audited({ cursor }))).toBe("CURSOR_INVALID");
    rmSync(layout.auditFile);
    expect(await failureCode(bench.memory.audited({ cursor }))).toBe("CURSOR_INVALID");
  });

  it("R3: another list's cursor and odd limits are refused", async () => {
    await bench.capture("more", "and more");
    const { next_cursor: cursor = "" } = await bench.memory.pending({ limit: 1 });
    expect(cursor).not.toBe("");
    expect(await failureCode(bench.memory.audited({ cursor }))).toBe("CURSOR_INVALID");
    expect(await failureCode(bench.memory.audited({ limit: 0 }))).toBe("INVALID_ARGUMENT");
  });

  it("R3: the totals follow what is added and deleted since the last page", async () => {
    const audit = openAudit(layout);
    const sums: number[][] = [];
    for (const n of numbers(1, 12)) {
      audit.record(n % 3 === 0 ? "dropped" : "spilled", [victim(n)], 100);
      const { totals, total } = await bench.memory.audited({ limit: 1 });
      const { deleted } = totals;
      expect(total).toBe(totals.spilled + totals.dropped);
      sums.push([totals.spilled + deleted.spilled, totals.dropped + deleted.dropped]);
    }
    expect(sums).toEqual(numbers(1, 12).map((n) => [n - Math.floor(n / 3), Math.floor(n / 3)]));
    expect((await bench.memory.audited({})).totals.deleted.files).toBeGreaterThan(2);
  });

  it("R3: a page does not read again what has not changed", async () => {
    writeAuditFile(`${layout.auditFile}.1`, numbers(1, 2_000));
    writeAuditFile(layout.auditFile, numbers(2_001, 2_002));
    await bench.memory.audited({ limit: 1 });
    bench.disk.calls.length = 0;
    const { total } = await bench.memory.audited({ limit: 1 });
    expect(total).toBe(2_002);
    expect(bench.disk.methods().filter((method) => method === "readAt")).toHaveLength(1);
  });

  it("R3: an unreadable directory is named as such", async () => {
    bench.disk.fail({ method: "names", errno: "EACCES" });
    expect(await failureCode(bench.memory.audited({}))).toBe("DATA_DIR_UNUSABLE");
  });
});
