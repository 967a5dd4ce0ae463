/**
 * A stream of bytes as numbered lines of text.
 *
 * Guarantees: no more than one line and one chunk in memory; a line that is too long, or no UTF-8, is
 * given back as a fault with its number and reading goes on behind it. CR before LF and a byte order
 * mark at the very start belong to no line. Blank lines are counted and left out.
 */

export type TextLine = LinePlace &
  (
    | { readonly text: string; readonly fault?: undefined }
    | { readonly text?: undefined; readonly fault: string }
  );

interface LinePlace {
  readonly number: number;
  /** Bytes from the beginning to behind the line and the line feed that ends it. */
  readonly endBytes: number;
  /** False for a last line that nothing ends: more of it may come. */
  readonly isEnded: boolean;
}

/** Lines and bytes in front of the first chunk, for a stream that begins inside a file. */
export interface LinesBefore {
  readonly number: number;
  readonly endBytes: number;
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

export async function* textLines(
  chunks: AsyncIterable<Uint8Array | string>,
  lineBytesMax: number,
  before: LinesBefore = { number: 0, endBytes: 0 },
): AsyncGenerator<TextLine> {
  let { number, endBytes } = before;
  let held: Buffer[] = [];
  let heldBytes = 0;
  const take = (isEnded: boolean): TextLine | undefined => {
    number++;
    endBytes += heldBytes + (isEnded ? 1 : 0);
    const place = { number, endBytes, isEnded };
    const tooLong = heldBytes > lineBytesMax;
    const bytes = Buffer.concat(held);
    held = [];
    heldBytes = 0;
    if (tooLong) return { ...place, fault: `is longer than ${lineBytesMax} bytes` };
    return lineOf(place, bytes);
  };
  for await (const chunk of chunks) {
    let rest = typeof chunk === "string" ? Buffer.from(chunk, "utf8") : Buffer.from(chunk);
    for (let end = rest.indexOf(LINE_FEED); end !== -1; end = rest.indexOf(LINE_FEED)) {
      held.push(rest.subarray(0, end));
      heldBytes += end;
      rest = rest.subarray(end + 1);
      const line = take(true);
      if (line !== undefined) yield line;
    }
    heldBytes += rest.length;
    // Of a line that is too long only the length is kept.
    if (heldBytes > lineBytesMax) held = [];
    else held.push(rest);
  }
  if (heldBytes === 0) return;
  const line = take(false);
  if (line !== undefined) yield line;
}

function lineOf(place: LinePlace, bytes: Buffer): TextLine | undefined {
  const marked = place.number === 1 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK);
  const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
  const content = bytes.subarray(marked ? 3 : 0, end);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
    return text.trim() === "" ? undefined : { ...place, text };
  } catch {
    return { ...place, fault: "is not UTF-8" };
  }
}
