import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CaptureFailure, GetResult, Receipt } from "../../src/memory/memory.ts";
import {
  ANSWER_CHARS_MAX,
  GET_CHARS_MAX,
  RECORD_ATTRIBUTES_BYTES_MAX,
} from "../../src/record/limits.ts";
import { clip, fitOutcomes, fitPage, fitText, jsonChars } from "../../src/tools/fit-answer.ts";

const ULID = "01JZX0W7Q2M3N4P5R6S7T8V9WA";

/** A page of a text as `Memory.get` returns it, with the largest attributes a record can have. */
function pageOf(text: string, offset = 0, length = GET_CHARS_MAX): GetResult {
  const surface = text.slice(offset, offset + length);
  const end = offset + surface.length;
  return {
    record: {
      ulid: ULID,
      surface,
      sha256: "0".repeat(64),
      appended_at: "2026-01-01T00:00:00.000Z",
      state: "ingested",
      metadata: { note: "n".repeat(RECORD_ATTRIBUTES_BYTES_MAX - 40) },
    },
    total_chars: text.length,
    ...(end < text.length && { next_offset: end }),
  };
}

function readAll(text: string): { read: string; pages: string[] } {
  const pages: string[] = [];
  for (let offset: number | undefined = 0; offset !== undefined; ) {
    const page = fitText(pageOf(text, offset));
    expect(jsonChars(page)).toBeLessThanOrEqual(ANSWER_CHARS_MAX);
    pages.push(page.record.surface);
    offset = page.next_offset;
    expect(pages.length).toBeLessThan(1_000);
  }
  return { read: pages.join(""), pages };
}

describe("fitting a text", () => {
  it("T4: leaves a page alone that fits", () => {
    const page = pageOf("short");
    expect(fitText(page)).toBe(page);
  });

  it.each([
    ["control characters, six for one", "\u0000\u001f".repeat(40_000)],
    ["quotes and backslashes", '"\\'.repeat(40_000)],
    ["lone surrogates", "\ud800x\udc00".repeat(20_000)],
    ["pairs", "😀".repeat(40_000)],
    ["line ends and tabs", "\r\n\t\b\f".repeat(20_000)],
    ["CJK", "記憶".repeat(40_000)],
  ])("T4: pages join to the whole text and split no pair: %s", (_name, text) => {
    const { read, pages } = readAll(text);
    expect(read).toBe(text);
    for (const page of pages.slice(0, -1)) expect(page).not.toMatch(/[\ud800-\udbff]$/u);
  });

  it("T4: any text comes back whole over its pages", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { maxLength: 20 }), (parts) => {
        const text = parts.join("").repeat(800).slice(0, 80_000);
        expect(readAll(text).read).toBe(text);
      }),
      { numRuns: 20 },
    );
  });
});

describe("fitting a page", () => {
  const entry = (chars: number) => ({ text: "x".repeat(chars) });

  function source(sizes: number[]) {
    const asked: number[] = [];
    const ask = async (limit: number) => {
      asked.push(limit);
      return { entries: sizes.slice(0, limit).map(entry), next: Math.min(limit, sizes.length) };
    };
    return { asked, ask };
  }

  it("T11: asks once when everything fits", async () => {
    const { asked, ask } = source([10, 10]);
    const page = await fitPage(2, ask, ({ entries }) => entries.length);
    expect(page.entries).toHaveLength(2);
    expect(asked).toEqual([2]);
  });

  it("T11: asks for fewer, so that the way on belongs to what is shown", async () => {
    const { ask } = source(Array(100).fill(2_000));
    const page = await fitPage(100, ask, ({ entries }) => entries.length);
    expect(jsonChars(page)).toBeLessThanOrEqual(ANSWER_CHARS_MAX);
    expect(page.next).toBe(page.entries.length);
    expect(page.entries.length).toBeGreaterThan(10);
  });

  it("T11: ends with one entry where the first ones are the largest", async () => {
    const { asked, ask } = source([19_000, 19_500, 19_000, ...Array(97).fill(10)]);
    const page = await fitPage(100, ask, ({ entries }) => entries.length);
    expect(jsonChars(page)).toBeLessThanOrEqual(ANSWER_CHARS_MAX);
    expect(page.entries.length).toBeGreaterThanOrEqual(1);
    expect(asked.length).toBeLessThanOrEqual(8);
  });
});

describe("fitting a batch's outcomes", () => {
  it("T2: a hundred wordy failures still fit, each with its code", () => {
    const failure: CaptureFailure = {
      error: {
        code: "RECORD_INVALID",
        message: '"\\'.repeat(5_000),
        retryable: false,
        stored: "no",
      },
    };
    const fitted = fitOutcomes(Array(100).fill(failure));
    expect(jsonChars({ receipts: fitted })).toBeLessThanOrEqual(ANSWER_CHARS_MAX);
    expect(fitted).toHaveLength(100);
    expect(fitted[99]).toMatchObject({ error: { code: "RECORD_INVALID", stored: "no" } });
  });

  it("T2: receipts are left as they are, and an id for a retry stays", () => {
    const receipt: Receipt = { ulid: ULID, sha256: "0", state: "pending", appended_at: "now" };
    const failure: CaptureFailure = {
      error: {
        code: "CAPTURE_FAILED",
        message: "m".repeat(40_000),
        retryable: true,
        stored: "unknown",
        ulid: ULID,
      },
    };
    const [first, second] = fitOutcomes([receipt, failure]);
    expect(first).toEqual(receipt);
    expect(second).toMatchObject({ error: { ulid: ULID, stored: "unknown" } });
  });
});

describe("clipping", () => {
  it("T11: cuts at the limit, marks the cut and splits no pair", () => {
    expect(clip("abcdef", 6)).toBe("abcdef");
    expect(clip("abcdefg", 6)).toBe("abcde…");
    expect(clip("abcd😀g", 6)).toBe("abcd…");
  });
});
