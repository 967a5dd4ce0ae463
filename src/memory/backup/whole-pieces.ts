/** Where the last whole piece of a file ends that others append to while it is read. */
import type { DurableFs } from "../../platform/durable-fs.ts";
import { MEMBER_PREFIX_BYTES, memberBytesAt } from "../../queue/archive-member.ts";

const LINE_FEED = 10;
const TAIL_BYTES = 65_536;

/** Behind the last line feed; everything if there is none near the end. */
export async function wholeLines(fs: DurableFs, fd: number, bytes: number): Promise<number> {
  const start = Math.max(0, bytes - TAIL_BYTES);
  const tail = Buffer.alloc(bytes - start);
  const read = await fs.readAt(fd, tail, start);
  const at = tail.subarray(0, read).lastIndexOf(LINE_FEED);
  return at === -1 ? bytes : start + at + 1;
}

/** Behind the last whole member of the done archive; everything if damage hides where that is. */
export async function wholeMembers(fs: DurableFs, fd: number, bytes: number): Promise<number> {
  const header = Buffer.alloc(MEMBER_PREFIX_BYTES);
  let at = 0;
  while (at < bytes) {
    if (bytes - at < header.length) return at;
    await fs.readAt(fd, header, at);
    const length = memberBytesAt(header, 0);
    if (length === undefined || length <= header.length) return bytes;
    if (at + length > bytes) return at;
    at += length;
  }
  return at;
}
