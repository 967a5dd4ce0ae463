/**
 * Lines of the overflow audit log from the newest backwards, a few at a time.
 *
 * Guarantees: reads no more than it gives, but for damaged lines, which are passed over. A place
 * stays good while lines are added and files renamed, because it names the file itself and not its
 * name; once rotation has deleted that file, or another got its inode, the place leads nowhere.
 * "Newest" is by where a line lies: lines of several writers may be off by an instant.
 */
import type { DurableFs } from "../platform/durable-fs.ts";
import { blocksBackwards } from "./audit-blocks.ts";
import { type OpenAuditFile, withAuditFiles } from "./audit-files.ts";
import { type AuditLine, parseAuditLine } from "./audit-line.ts";
import type { QueueLayout } from "./layout.ts";

/** Where a line begins, and its id to prove it. */
export interface LinePlace {
  readonly ino: number;
  /** Offset in bytes. */
  readonly at: number;
  readonly ulid: string;
}

export interface NewestLines {
  /** Newest first. */
  readonly lines: readonly AuditLine[];
  /** Of the last of them, if there are older ones. */
  readonly next: LinePlace | undefined;
}

const LINE_FEED = 10;
const LINE_BYTES_MAX = 4_096;

/**
 * @param before only lines that are older than the one at this place
 * @returns undefined if there is no such place any more
 * @throws system errors
 */
export async function newestAuditLines(
  fs: DurableFs,
  layout: QueueLayout,
  { before, limit }: { readonly before?: LinePlace | undefined; readonly limit: number },
): Promise<NewestLines | undefined> {
  return withAuditFiles(fs, layout, async ({ files }) => {
    const newestFirst = files.toReversed();
    const start = before ? newestFirst.findIndex(({ ino }) => ino === before.ino) : 0;
    const first = newestFirst[start];
    if (before && !(first && (await isLineAt(fs, first, before)))) return undefined;
    const found: { line: AuditLine; place: LinePlace }[] = [];
    for (const file of newestFirst.slice(start)) {
      const end = file === first && before ? before.at : file.bytes;
      for await (const { bytes, offset } of blocksBackwards(fs, file.fd, end)) {
        for (const { line, at } of linesBackwards(bytes)) {
          if (found.length === limit) return pageOf(found, true);
          const place = { ino: file.ino, at: offset + at, ulid: line.dropped_ulid };
          found.push({ line, place });
        }
      }
    }
    return pageOf(found, false);
  });
}

function pageOf(
  found: readonly { readonly line: AuditLine; readonly place: LinePlace }[],
  hasMore: boolean,
): NewestLines {
  return {
    lines: found.map(({ line }) => line),
    next: hasMore ? found.at(-1)?.place : undefined,
  };
}

async function isLineAt(fs: DurableFs, file: OpenAuditFile, place: LinePlace): Promise<boolean> {
  const bytes = Buffer.alloc(LINE_BYTES_MAX);
  const read = await fs.readAt(file.fd, bytes, place.at);
  const end = bytes.subarray(0, read).indexOf(LINE_FEED);
  const line = parseAuditLine(bytes.toString("latin1", 0, end === -1 ? read : end));
  return line?.dropped_ulid === place.ulid;
}

/** Whole lines only. */
function* linesBackwards(block: Buffer): Generator<{ line: AuditLine; at: number }> {
  for (let end = block.length; end > 0; ) {
    const start = end === 1 ? 0 : block.lastIndexOf(LINE_FEED, end - 2) + 1;
    const line = parseAuditLine(block.toString("latin1", start, end).replace(/\n$/, ""));
    if (line) yield { line, at: start };
    end = start;
  }
}
