/**
 * A stream of bytes as numbered lines of text.
 *
 * Guarantees: no more than one line and one chunk in memory; a line that is too long, or no UTF-8, is
 * given back as a fault with its number and reading goes on behind it. CR before LF and a byte order
 * mark at the very start belong to no line. Blank lines are counted and left out.
 */

export type TextLine =
  | { readonly number: number; readonly text: string; readonly fault?: undefined }
  | { readonly number: number; readonly text?: undefined; readonly fault: string };

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

export async function* textLines(
  chunks: AsyncIterable<Uint8Array | string>,
  lineBytesMax: number,
): AsyncGenerator<TextLine> {
  let number = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;
  const take = (): TextLine | undefined => {
    number++;
    const tooLong = heldBytes > lineBytesMax;
    const bytes = Buffer.concat(held);
    held = [];
    heldBytes = 0;
    if (tooLong) return { number, fault: `is longer than ${lineBytesMax} bytes` };
    return lineOf(number, bytes);
  };
  for await (const chunk of chunks) {
    let rest = typeof chunk === "string" ? Buffer.from(chunk, "utf8") : Buffer.from(chunk);
    for (let end = rest.indexOf(LINE_FEED); end !== -1; end = rest.indexOf(LINE_FEED)) {
      held.push(rest.subarray(0, end));
      heldBytes += end;
      rest = rest.subarray(end + 1);
      const line = take();
      if (line !== undefined) yield line;
    }
    heldBytes += rest.length;
    // Of a line that is too long only the length is kept.
    if (heldBytes > lineBytesMax) held = [];
    else held.push(rest);
  }
  if (heldBytes === 0) return;
  const line = take();
  if (line !== undefined) yield line;
}

function lineOf(number: number, bytes: Buffer): TextLine | undefined {
  const marked = number === 1 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK);
  const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
  const content = bytes.subarray(marked ? 3 : 0, end);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
    return text.trim() === "" ? undefined : { number, text };
  } catch {
    return { number, fault: "is not UTF-8" };
  }
}
