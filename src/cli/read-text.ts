/**
 * A record's text from stdin, byte for byte.
 *
 * Guarantees: nothing is trimmed, no byte order mark is taken off, line ends stay; bytes that are
 * not UTF-8 are refused rather than replaced. Holds no more than the largest text in memory.
 */
import { MemspoolError } from "../errors.ts";
import { RECORD_TEXT_BYTES_MAX } from "../record/limits.ts";
import type { InputStream } from "./command-context.ts";

/** Beyond the limit only the size is counted, for the error; a stream without end is given up. */
const COUNTED_BYTES_MAX = 64 * RECORD_TEXT_BYTES_MAX;

/**
 * @throws MemspoolError INVALID_ARGUMENT if it is not UTF-8; RECORD_TOO_LARGE naming limit and size
 */
export async function readText(stdin: InputStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as string, "utf8");
    bytes += buffer.length;
    if (bytes <= RECORD_TEXT_BYTES_MAX) chunks.push(buffer);
    else chunks.length = 0;
    if (bytes > COUNTED_BYTES_MAX) break;
  }
  if (bytes > RECORD_TEXT_BYTES_MAX) throw tooLarge(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new MemspoolError(
      "INVALID_ARGUMENT",
      "What came on stdin is not UTF-8, so it can not be kept word for word. Convert it first, " +
        "for example with iconv.",
      { cause: error },
    );
  }
}

function tooLarge(bytes: number): MemspoolError {
  const size = bytes > COUNTED_BYTES_MAX ? `more than ${COUNTED_BYTES_MAX}` : String(bytes);
  return new MemspoolError(
    "RECORD_TOO_LARGE",
    `What came on stdin is ${size} bytes, the limit is ${RECORD_TEXT_BYTES_MAX}. ` +
      "Split the text over several records of one session.",
    { details: { limit_bytes: RECORD_TEXT_BYTES_MAX, size_bytes: bytes } },
  );
}
