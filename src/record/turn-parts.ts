/**
 * A turn that is larger than one record, as several: word for word, nothing left out.
 *
 * Guarantees: the parts put together are the text; each is within the limit, and none begins or ends
 * within a character. A text within the limit is one part, itself. The same text has the same parts
 * under the same limit, so whoever captures a turn a second time makes the same keys. Pure.
 */
import { type Turn, turnKey } from "./turn-key.ts";
import { utf8Bytes } from "./utf8-bytes.ts";

/** Bytes of the longest character in UTF-8. */
const CHARACTER_BYTES_MAX = 4;

/** @param bytesMax UTF-8 bytes of a part, at least one character's */
export function turnParts(surface: string, bytesMax: number): string[] {
  const limit = Math.max(bytesMax, CHARACTER_BYTES_MAX);
  const parts: string[] = [];
  let rest = surface;
  // Measured once: a long text has many parts, and measuring it anew for each would be quadratic.
  let restBytes = utf8Bytes(rest);
  while (restBytes > limit) {
    const cut = cutWithin(rest, limit);
    const part = rest.slice(0, cut);
    parts.push(part);
    rest = rest.slice(cut);
    restBytes -= utf8Bytes(part);
  }
  parts.push(rest);
  return parts;
}

/**
 * The idempotency key of a part: of a turn in one part, the turn's own.
 * @param turn with the whole text
 * @param number from 1
 */
export function turnPartKey(turn: Turn, number: number, count: number): string {
  return count === 1 ? turnKey(turn) : `${turnKey(turn)}:${number}/${count}`;
}

/** UTF-16 code units of the longest start of the text that fits. */
function cutWithin(text: string, bytesMax: number): number {
  // No code unit takes more than three bytes, and at least one byte each.
  let low = Math.min(text.length, Math.floor(bytesMax / 3));
  let high = Math.min(text.length, bytesMax);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (utf8Bytes(text.slice(0, middle)) <= bytesMax) low = middle;
    else high = middle - 1;
  }
  const unit = text.charCodeAt(low - 1);
  const next = text.charCodeAt(low);
  const splitsPair = unit >= 0xd800 && unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff;
  return splitsPair ? low - 1 : low;
}
