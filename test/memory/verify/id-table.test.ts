import fc from "fast-check";
import { expect, it } from "vitest";
import { IdTable, type Part, WHOLE } from "../../../src/memory/verify/id-table.ts";
import { textOfWords, wordsOfBytes, wordsOfText } from "../../../src/memory/verify/id-words.ts";

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ulids = fc
  .tuple(
    fc.constantFrom(..."01234567"),
    fc.array(fc.constantFrom(...DIGITS), { minLength: 25, maxLength: 25 }),
  )
  .map(([first, rest]) => first + rest.join(""));

function words(ulid: string): Uint32Array {
  const into = new Uint32Array(4);
  expect(wordsOfText(ulid, into)).toBe(true);
  return into;
}

function idOf(n: number): string {
  return `01JQ7Z8X9Y${String(n).padStart(16, "0")}`;
}

/** Every id of the tables for all parts, with its flags, in order. */
function contents(
  ids: readonly { readonly ulid: string; readonly flags: number }[],
  slotsMax: number,
): { found: [string, number][]; parts: number } {
  const packed = ids.map(({ ulid, flags }) => ({ id: words(ulid), flags }));
  const found: [string, number][] = [];
  const parts: Part[] = [WHOLE];
  let count = 0;
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    count++;
    const table = new IdTable(part, { slotsMax }, (other) => parts.push(other));
    for (const { id, flags } of packed) table.add(id, flags);
    const entries = [...table.entries()].map(({ flags, words: all, at }): [string, number] => [
      textOfWords(all, at),
      flags,
    ]);
    expect(entries).toHaveLength(table.count);
    found.push(...entries);
  }
  return { found: found.sort(([a], [b]) => (a < b ? -1 : 1)), parts: count };
}

it("V1: an id survives being packed into words, from text and from bytes", () => {
  fc.assert(
    fc.property(ulids, (ulid) => {
      expect(textOfWords(words(ulid))).toBe(ulid);
      const into = new Uint32Array(4);
      expect(wordsOfBytes(Buffer.from(`xx${ulid}\n`), 2, into)).toBe(true);
      expect(into).toEqual(words(ulid));
    }),
  );
  expect([...words("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")]).toEqual(Array(4).fill(0xffffffff));
  expect([...words("00000000000000000000000001")]).toEqual([0, 0, 0, 1]);
});

it.each(["", "01JQ", `8${"0".repeat(25)}`, `${"0".repeat(25)}U`, "0".repeat(27), "é".repeat(26)])(
  "V1: what is no id is refused: %j",
  (text) => {
    expect(wordsOfText(text, new Uint32Array(4))).toBe(false);
    expect(wordsOfBytes(Buffer.from(text), 0, new Uint32Array(4))).toBe(text.length === 27);
  },
);

it("V1: holds each id once with all its flags, in one table or in many parts", () => {
  const ids = Array.from({ length: 5_000 }, (_, n) => ({
    ulid: idOf((n * 7_919) % 2_000),
    flags: 1 << (n % 9),
  }));
  const expected = new Map<string, number>();
  for (const { ulid, flags } of ids) expected.set(ulid, (expected.get(ulid) ?? 0) | flags);
  const truth = [...expected].sort(([a], [b]) => (a < b ? -1 : 1));
  const one = contents(ids, 4_096);
  expect(one).toEqual({ found: truth, parts: 1 });
  const many = contents(ids, 64);
  expect(many.found).toEqual(truth);
  expect(many.parts).toBeGreaterThan(2_000 / 48 - 1);
});

it("V1: a flag for an id that is not there adds nothing", () => {
  const table = new IdTable(WHOLE, { slotsMax: 64 }, () => {});
  table.add(words(idOf(1)), 1);
  table.addIfThere(words(idOf(1)), 2);
  table.addIfThere(words(idOf(2)), 2);
  expect([...table.entries()].map(({ flags }) => flags)).toEqual([3]);
});
