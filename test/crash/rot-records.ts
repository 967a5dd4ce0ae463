/** Records whose bytes are hard to keep, as envelopes, for the rot rig. */

import { textSha256 } from "../../src/record/content-hash.ts";
import { type Envelope, encodeEnvelope } from "../../src/record/envelope.ts";

export interface MadeEnvelope {
  readonly ulid: string;
  readonly bytes: Buffer;
  /** As {@link shown} gives it. */
  readonly content: string;
}

const APPENDED_AT = "2026-03-01T09:30:00.000Z";
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Sorted by number. */
function rotUlid(n: number): string {
  let rest = n;
  let text = "";
  for (let digit = 0; digit < 6; digit++) {
    text = (DIGITS[rest % 32] ?? "") + text;
    rest = Math.floor(rest / 32);
  }
  return `01JQ7Z8X9YABCDEFGHJK${text}`;
}

/** @param fillerChars how much longer than short the text is */
export function madeEnvelope(n: number, fillerChars = 0): MadeEnvelope {
  const surface = `№ ${n}: 山 \ud83d\ude00 \ud800 a\u0000b "quoted"\r\n${"word ".repeat(fillerChars / 5)}`;
  const recordJson = JSON.stringify({ surface, tags: ["é", "é"], metadata: { n, deep: [true] } });
  const ulid = rotUlid(n);
  const sha256 = textSha256(surface);
  const bytes = encodeEnvelope(ulid, APPENDED_AT, recordJson, sha256);
  return { ulid, bytes, content: JSON.stringify([ulid, APPENDED_AT, recordJson, sha256]) };
}

/** Everything that counts of an envelope. */
export function shown(
  envelope: Pick<Envelope, "ulid" | "appendedAt" | "recordJson" | "sha256">,
): string {
  const { ulid, appendedAt, recordJson, sha256 } = envelope;
  return JSON.stringify([ulid, appendedAt, recordJson, sha256]);
}
