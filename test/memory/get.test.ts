import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CaptureInput, GetResult } from "../../src/memory/memory.ts";
import { ANSWER_CHARS_MAX, GET_CHARS_MAX } from "../../src/record/limits.ts";
import { failureCode, MemoryBench } from "../support/memory-bench.ts";

/** Every page of a text, as a caller would read it. */
async function allPages(
  { memory }: MemoryBench,
  ulid: string,
  length?: number,
): Promise<GetResult[]> {
  const pages: GetResult[] = [];
  let offset = 0;
  for (let count = 0; count < 2_000; count++) {
    const page = await memory.get({ ulid, offset, length });
    pages.push(page);
    if (page.next_offset === undefined) return pages;
    expect(page.next_offset).toBeGreaterThan(offset);
    expect(page.next_offset).toBe(offset + page.record.surface.length);
    offset = page.next_offset;
  }
  throw new Error("the pages do not end");
}

const joined = (pages: readonly GetResult[]) => pages.map(({ record }) => record.surface).join("");

/** One of the halves without the other, at an end where the text has both. */
function splitsPair(pages: readonly GetResult[]): boolean {
  return pages.slice(1).some(({ record }, index) => {
    const before = pages[index]?.record.surface ?? "";
    return /[\ud800-\udbff]$/.test(before) && /^[\udc00-\udfff]/.test(record.surface);
  });
}

describe("get", () => {
  it("T4: gives the whole record, defaults shown, pending and ingested alike", async () => {
    const bench = await MemoryBench.open();
    const input: CaptureInput = {
      surface: "a heron",
      cue: "birds",
      session_id: "s",
      role: "user",
      source: "talk",
      occurred_at: "2026-03-01",
      tags: ["a"],
      metadata: { depth: { of: [1, null, "x"] } },
      idempotency_key: "k",
      supersedes: ["01ARZ3NDEKTSV4RRFFQ69G5FAV"],
    };
    const { ulid, sha256, appended_at } = await bench.memory.capture(input);
    const record = {
      ...input,
      ulid,
      sha256,
      appended_at,
      tier: "episodic",
      project: "",
      priority: "normal",
    };
    expect(await bench.memory.get({ ulid })).toEqual({
      record: { ...record, state: "pending" },
      total_chars: 7,
    });
    await bench.ingest(ulid);
    expect(await bench.memory.get({ ulid })).toEqual({
      record: { ...record, state: "ingested" },
      total_chars: 7,
    });
    const [newer = ""] = await bench.captureStored({ surface: "a crane", supersedes: [ulid] });
    expect((await bench.memory.get({ ulid })).record.superseded_by).toBe(newer);
  });

  it("T4: pages give the text back, never split a pair, and always go on", async () => {
    const bench = await MemoryBench.open();
    const unit = fc.oneof(
      fc.constantFrom("🦩", "é", "e\u0301", "\u0000", "\r\n", "\ud83e", "\udda9", '"', "東"),
      fc.string(),
    );
    const texts = fc.array(unit, { maxLength: 40 }).map((parts) => parts.join(""));
    const check = fc.asyncProperty(texts, fc.integer({ min: 1, max: 5 }), async (text, length) => {
      const { ulid } = await bench.memory.capture({ surface: text });
      const pages = await allPages(bench, ulid, length);
      expect(joined(pages)).toBe(text);
      expect(splitsPair(pages)).toBe(false);
      expect(pages.every(({ total_chars }) => total_chars === text.length)).toBe(true);
      // A pair is the one thing that may be longer than what was asked for.
      const longest = Math.max(...pages.map(({ record }) => record.surface.length));
      expect(longest).toBeLessThanOrEqual(Math.max(2, length));
    });
    await fc.assert(check, { numRuns: 60 });
  });

  it("T4: a text full of escapes stays within an answer, beside the largest attributes", async () => {
    const bench = await MemoryBench.open();
    const metadata = { filler: "x".repeat(16_000) };
    for (const character of ["\u0000", '"', "\ud800", "🦩", "a"]) {
      const surface = character.repeat(40_000);
      const { ulid } = await bench.memory.capture({ surface, metadata });
      const pages = await allPages(bench, ulid, GET_CHARS_MAX);
      const largest = Math.max(...pages.map((page) => JSON.stringify(page).length));
      expect(largest, JSON.stringify(character)).toBeLessThanOrEqual(ANSWER_CHARS_MAX);
      expect(joined(pages) === surface, JSON.stringify(character)).toBe(true);
      expect(pages.length, JSON.stringify(character)).toBeLessThan(60);
    }
  });

  it("T4: bounds a page by its default and its limit", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("a".repeat(50_000));
    const page = async (length?: number) =>
      (await bench.memory.get({ ulid, length })).record.surface.length;
    expect([await page(), await page(7), await page(30_000), await page(1_000_000)]).toEqual([
      16_000, 7, 30_000, 30_000,
    ]);
  });

  it("T4: an offset inside a pair begins before it, one behind the end gives nothing", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("a🦩b");
    const at = async (offset: number, length?: number) => {
      const { record, next_offset } = await bench.memory.get({ ulid, offset, length });
      return [record.surface, next_offset];
    };
    expect(await at(0, 1)).toEqual(["a", 1]);
    expect(await at(0, 2)).toEqual(["a", 1]);
    expect(await at(1, 1)).toEqual(["🦩", 3]);
    expect(await at(2, 1)).toEqual(["🦩", 3]);
    expect(await at(2)).toEqual(["🦩b", undefined]);
    expect(await at(4)).toEqual(["", undefined]);
    expect(await at(5_000)).toEqual(["", undefined]);
  });

  it("T4: an empty text is one page", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.captureStored("");
    const { record, total_chars, next_offset } = await bench.memory.get({ ulid });
    expect([record.surface, total_chars, next_offset]).toEqual(["", 0, undefined]);
  });

  it("T4: refuses offsets and lengths that are none", async () => {
    const bench = await MemoryBench.open();
    const [ulid = ""] = await bench.capture("a heron");
    for (const input of [{ offset: -1 }, { offset: 0.5 }, { length: 0 }, { length: Number.NaN }]) {
      const code = await failureCode(bench.memory.get({ ulid, ...input }));
      expect(code, JSON.stringify(input)).toBe("INVALID_ARGUMENT");
    }
  });
});
