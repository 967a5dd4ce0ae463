/**
 * A file of lines from its end towards its beginning, in blocks of whole lines.
 *
 * Guarantees: memory bounded by one chunk and one overlong line; every byte before `end` is in one
 * block, once. A stretch without a line feed that is longer than any line is a block of its own, and
 * its first and last line may then be parts of one: their checksums say so.
 */
import type { DurableFs } from "../platform/durable-fs.ts";

export interface Block {
  /** Of its first byte in the file. */
  readonly offset: number;
  readonly bytes: Buffer;
}

const CHUNK_BYTES = 262_144;
const LINE_FEED = 10;
const NOTHING = Buffer.alloc(0);

/** @param end offset behind the last byte to look at */
export async function* blocksBackwards(
  fs: DurableFs,
  fd: number,
  end: number,
): AsyncGenerator<Block> {
  /** The beginning of the block behind this one, up to its first line feed. */
  let rest = NOTHING;
  for (let at = end; at > 0; ) {
    const start = Math.max(0, at - CHUNK_BYTES);
    const bytes = Buffer.concat([await readRange(fs, fd, start, at), rest]);
    const cut = start === 0 ? 0 : bytes.indexOf(LINE_FEED) + 1;
    if (start > 0 && (cut === 0 || cut === bytes.length)) {
      // No line begins here: a damaged stretch, which is not collected any further.
      yield { offset: start, bytes };
      rest = NOTHING;
    } else {
      if (cut < bytes.length) yield { offset: start + cut, bytes: bytes.subarray(cut) };
      rest = Buffer.from(bytes.subarray(0, cut));
    }
    at = start;
  }
}

async function readRange(fs: DurableFs, fd: number, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start);
  for (let filled = 0; filled < bytes.length; ) {
    const read = await fs.readAt(fd, bytes.subarray(filled), start + filled);
    if (read === 0) break; // cut meanwhile: what is missing reads as zeros
    filled += read;
  }
  return bytes;
}
