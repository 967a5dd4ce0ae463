/**
 * The hash that stands for a text's identity: SHA-256 over its UTF-8 bytes, lone surrogates as the
 * three bytes that WTF-8 gives them (https://simonsapin.github.io/wtf-8/), so that two texts that
 * differ only in a lone surrogate have different hashes.
 */
import { createHash } from "node:crypto";

/** The text's bytes; equal to UTF-8 for every well-formed string. */
export function wtf8Encode(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, "utf8");
  const parts: Buffer[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(at + 1);
    if (unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) {
      at++;
      continue;
    }
    parts.push(
      Buffer.from(text.slice(start, at), "utf8"),
      Buffer.from([0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)]),
    );
    start = at + 1;
  }
  parts.push(Buffer.from(text.slice(start), "utf8"));
  return Buffer.concat(parts);
}

/** SHA-256 of the text as 64 lower-case hexadecimal digits. */
export function textSha256(text: string): string {
  return createHash("sha256").update(wtf8Encode(text)).digest("hex");
}
