/**
 * Keeps an answer within what a model can take in one go, and leaves a way to the rest.
 *
 * Guarantees: what these functions return is at most ANSWER_CHARS_MAX UTF-16 code units as JSON,
 * whatever escapes its strings need. Text is shown in pages and lists get shorter, with a cursor or
 * offset that continues exactly behind what was shown.
 */
import type { CaptureFailure, GetResult, Receipt } from "../memory/memory.ts";
import { ANSWER_CHARS_MAX } from "../record/limits.ts";

const ASK_COUNT_MAX = 8;
const BATCH_MESSAGE_CHARS = [400, 120, 60] as const;

export function jsonChars(value: unknown): number {
  return JSON.stringify(value).length;
}

/**
 * Asks for a page and, if it is too long, asks again for fewer entries, so that the cursor that
 * comes back belongs to what is shown.
 *
 * @param ask returns a page of at most `limit` entries
 * @param countOf entries in a page
 */
export async function fitPage<Answer extends object>(
  limit: number,
  ask: (limit: number) => Promise<Answer>,
  countOf: (answer: Answer) => number,
): Promise<Answer> {
  let answer = await ask(limit);
  for (let asked = 1; asked < ASK_COUNT_MAX; asked++) {
    const chars = jsonChars(answer);
    const count = countOf(answer);
    if (chars <= ANSWER_CHARS_MAX || count <= 1) break;
    // Entries differ in length: the first guess is by proportion, later ones halve.
    const share = asked === 1 ? (0.9 * ANSWER_CHARS_MAX) / chars : 0.5;
    answer = await ask(Math.max(1, Math.min(count - 1, Math.floor(count * share))));
  }
  return answer;
}

/** Shortens a page of text whose JSON form is too long; `next_offset` follows. */
export function fitText(result: GetResult): GetResult {
  if (jsonChars(result) <= ANSWER_CHARS_MAX) return result;
  const { surface } = result.record;
  const emptied = {
    ...result,
    record: { ...result.record, surface: "" },
    next_offset: result.total_chars,
  };
  const kept = unitsWithin(surface, ANSWER_CHARS_MAX - jsonChars(emptied));
  const pageEnd = result.next_offset ?? result.total_chars;
  return {
    ...result,
    record: { ...result.record, surface: surface.slice(0, kept) },
    next_offset: pageEnd - (surface.length - kept),
  };
}

/** Shortens the messages of failed records until the outcomes of a whole batch fit. */
export function fitOutcomes(
  outcomes: readonly (Receipt | CaptureFailure)[],
): (Receipt | CaptureFailure)[] {
  let fitted = [...outcomes];
  for (const chars of BATCH_MESSAGE_CHARS) {
    if (jsonChars({ receipts: fitted }) <= ANSWER_CHARS_MAX) break;
    fitted = fitted.map((outcome) => {
      if (!("error" in outcome)) return outcome;
      // Details beside the known ones (a list of problems, say) are the first to go.
      const { code, message, retryable, stored, ulid } = outcome.error;
      const error = { code, message: clip(message, chars), retryable, stored };
      return { error: ulid === undefined ? error : { ...error, ulid } };
    });
  }
  return fitted;
}

/** The text's beginning, with a mark where it was cut; never half a surrogate pair. */
export function clip(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const end = isHighSurrogate(text.charCodeAt(charsMax - 2)) ? charsMax - 2 : charsMax - 1;
  return `${text.slice(0, end)}…`;
}

/** How many code units of the text fit into so many characters of a JSON string. */
function unitsWithin(text: string, room: number): number {
  let used = 0;
  let at = 0;
  while (at < text.length) {
    const codePoint = text.codePointAt(at) as number;
    const units = codePoint > 0xffff ? 2 : 1;
    used += jsonCost(codePoint);
    if (used > room) break;
    at += units;
  }
  return at;
}

function jsonCost(codePoint: number): number {
  if (codePoint > 0xffff) return 2;
  if (codePoint === 0x22 || codePoint === 0x5c) return 2;
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) return 6;
  if (codePoint >= 0x20) return 1;
  return [0x08, 0x09, 0x0a, 0x0c, 0x0d].includes(codePoint) ? 2 : 6;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
