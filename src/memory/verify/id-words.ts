/**
 * An id as four 32-bit words and back. Pure.
 *
 * A ULID is 128 bits in 26 digits of Crockford's base 32 (https://github.com/ulid/spec), the first of
 * which is at most 7. As words it takes 16 bytes instead of the 60 or so of a string.
 */

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const NO_DIGIT = 255;
export const ULID_CHARS = 26;
export const ID_WORDS = 4;

const VALUES = new Uint8Array(256).fill(NO_DIGIT);
for (let value = 0; value < DIGITS.length; value++) VALUES[DIGITS.charCodeAt(value)] = value;

/** @returns false for what is no id; `into` then holds nothing of use */
export function wordsOfText(ulid: string, into: Uint32Array): boolean {
  return ulid.length === ULID_CHARS && packWords((n) => ulid.charCodeAt(n), into);
}

/** The same of 26 bytes from `at` on. */
export function wordsOfBytes(bytes: Uint8Array, at: number, into: Uint32Array): boolean {
  return packWords((n) => bytes[at + n] ?? 0, into);
}

function packWords(codeAt: (n: number) => number, into: Uint32Array): boolean {
  if ((VALUES[codeAt(0)] ?? NO_DIGIT) > 7) return false;
  let pending = 0;
  // The first digit brings three bits.
  let bits = -2;
  let word = 0;
  for (let n = 0; n < ULID_CHARS; n++) {
    const value = VALUES[codeAt(n)] ?? NO_DIGIT;
    if (value === NO_DIGIT) return false;
    pending = pending * 32 + value; // below 2^37
    bits += 5;
    if (bits < 32) continue;
    bits -= 32;
    const rest = 2 ** bits;
    const whole = Math.floor(pending / rest);
    into[word++] = whole;
    pending -= whole * rest;
  }
  return true;
}

/** @param at index of the first of four words */
export function textOfWords(words: Uint32Array, at = 0): string {
  let id = 0n;
  for (let n = 0; n < ID_WORDS; n++) id = (id << 32n) | BigInt(words[at + n] as number);
  let text = "";
  for (let n = 0; n < ULID_CHARS; n++) {
    text = DIGITS[Number(id & 31n)] + text;
    id >>= 5n;
  }
  return text;
}
