import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineSplitter } from "../../src/server/line-splitter.ts";

/** Splits the chunks; a line that is too long comes back as its length alone. */
function split(bytesMax: number, chunks: readonly Buffer[]): (string | number)[] {
  const out: (string | number)[] = [];
  let tooLongBytes = 0;
  const splitter = new LineSplitter(bytesMax, {
    onLine: (line) => out.push(line.toString("latin1")),
    onTooLong: (piece, ended) => {
      tooLongBytes += piece.length;
      if (!ended) return;
      out.push(tooLongBytes);
      tooLongBytes = 0;
    },
  });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return out;
}

const bytes = (text: string) => Buffer.from(text, "latin1");

describe("splitting lines", () => {
  it("X2: ends a line at LF or CRLF, and the last one at the end of the stream", () => {
    expect(split(100, [bytes("a\nb\r\n\nc\rd\ne")])).toEqual(["a", "b", "", "c\rd", "e"]);
    expect(split(100, [bytes("a\r"), bytes("\nb")])).toEqual(["a", "b"]);
    expect(split(100, [])).toEqual([]);
  });

  it("X2: a line of exactly the limit is a line, one more byte is too long", () => {
    expect(split(4, [bytes("1234\n12345\nx\n")])).toEqual(["1234", 5, "x"]);
    expect(split(4, [bytes("12"), bytes("34"), bytes("\n")])).toEqual(["1234"]);
    expect(split(4, [bytes("12"), bytes("345"), bytes("6\nx")])).toEqual([6, "x"]);
    expect(split(4, [bytes("123456789")])).toEqual([9]);
  });

  it("X2: cuts any bytes into the same lines, wherever the chunks end", () => {
    const someBytes = fc.array(fc.constantFrom("a", "b", "\n", "\r"), { maxLength: 60 });
    fc.assert(
      fc.property(someBytes, fc.array(fc.nat(8), { maxLength: 60 }), (letters, sizes) => {
        const text = letters.join("");
        const chunks: Buffer[] = [];
        let at = 0;
        for (const size of sizes) {
          chunks.push(bytes(text.slice(at, at + size)));
          at += size;
        }
        chunks.push(bytes(text.slice(at)));
        expect(split(5, chunks)).toEqual(split(5, [bytes(text)]));
      }),
    );
  });

  it("X2: a line in one-byte chunks is put together without copying it each time", () => {
    const size = 400_000;
    const chunks = Array.from({ length: size }, () => bytes("x"));
    expect(split(size, [...chunks, bytes("\n")])).toEqual(["x".repeat(size)]);
  });

  it("X2: nothing of a line is kept beyond the limit", () => {
    const pieces: number[] = [];
    const splitter = new LineSplitter(1_000, {
      onLine: () => {},
      onTooLong: (piece) => pieces.push(piece.length),
    });
    const chunk = Buffer.alloc(64, 0x61);
    for (let sent = 0; sent < 100; sent++) splitter.push(chunk);
    // The first piece is what was held; after it every chunk is passed on by itself.
    expect(pieces[0]).toBeLessThanOrEqual(1_000);
    expect(pieces.slice(1).every((length) => length === 64)).toBe(true);
    expect(pieces.reduce((sum, length) => sum + length)).toBe(6_400);
  });
});
