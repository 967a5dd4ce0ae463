import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { textSha256, wtf8Encode } from "../../src/record/content-hash.ts";

it("Q3: hashes well-formed text as UTF-8", () => {
  for (const text of ["", "plain", "é", "e\u0301", "漢字 🎉", "a\u0000b", "\r\n"]) {
    expect(textSha256(text)).toBe(createHash("sha256").update(text, "utf8").digest("hex"));
  }
});

it("Q3: encodes lone surrogates as their three WTF-8 bytes", () => {
  expect([...wtf8Encode("\ud800")]).toEqual([0xed, 0xa0, 0x80]);
  expect([...wtf8Encode("\udfff")]).toEqual([0xed, 0xbf, 0xbf]);
  expect(wtf8Encode("a\udc00b\ud83c\udf89c\ud83c").toString("hex")).toBe(
    "61edb08062f09f8e8963eda0bc",
  );
});

it("Q3: tells texts apart that differ in a lone surrogate only", () => {
  const hashes = ["\ud800", "\ud801", "\udc00", "\ufffd", ""].map(textSha256);
  expect(new Set(hashes).size).toBe(5);
});
