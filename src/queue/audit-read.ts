/**
 * Reads the overflow audit log: its last lines for recovery, one id for a receipt, all of it for
 * verification and totals.
 *
 * Guarantees: memory stays bounded however large the files are; a line is only given out if its
 * checksum proves it; every other line is told or counted, but for empty ones, which a writer leaves
 * when it ends what another tore. A last line that is being written at this moment may count as
 * damaged. Nothing on disk is changed.
 */
import { join } from "node:path";
import type { DurableFs } from "../platform/durable-fs.ts";
import { type DurableFsSync, readBytes } from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import { blocksBackwards } from "./audit-blocks.ts";
import { readCheckpoint } from "./audit-checkpoint.ts";
import {
  type AuditCheckpoint,
  type CheckpointEntry,
  totalsOfGone,
} from "./audit-checkpoint-form.ts";
import { AuditCount, type AuditTotals, LineSplitter, PrefixHashes } from "./audit-count.ts";
import { auditFileNames, type OpenAuditFile, withAuditFiles } from "./audit-files.ts";
import { type AuditLine, parseAuditLine } from "./audit-line.ts";
import type { QueueLayout } from "./layout.ts";

/** Where something lies in the log. */
export interface AuditPlace {
  /** Name in the queue directory. */
  readonly file: string;
  /** From 1; 0 stands for the file as a whole. */
  readonly line: number;
}

export interface AuditHandlers {
  /** Oldest first. */
  readonly onLine?: (line: AuditLine, place: AuditPlace) => void;
  /** A line that is not whole (line 0: a file that is none), or a checkpoint that is not. */
  readonly onDamaged?: (place: AuditPlace) => void;
}

/** The whole log in numbers. */
export interface AuditSum {
  /** What lies there. */
  readonly here: AuditTotals & { readonly files: number; readonly bytes: number };
  /** What the checkpoint says of deleted files, none of which still lies there. */
  readonly gone: AuditTotals & { readonly files: number; readonly bytes: number };
  /** True if a checkpoint was damaged, so that more may be gone than is known. */
  readonly goneIncomplete: boolean;
}

const CHUNK_BYTES = 262_144;
const LINE_FEED = 10;
const NONE = { files: 0, bytes: 0, spilled: 0, dropped: 0, damaged: 0 };

/** What is known of files that have not changed since; one for each reader that asks often. */
export type AuditMemo = Map<string, FileSum>;

interface FileSum extends AuditTotals {
  readonly bytes: number;
  /** Entries of the checkpoint that speak of this file. */
  readonly entries: readonly CheckpointEntry[];
}

/**
 * Reads everything.
 * @param memo spares reading files again; then handlers are not told of their lines
 * @throws system errors
 */
export async function readAudit(
  fs: DurableFs,
  layout: QueueLayout,
  handlers: AuditHandlers = {},
  memo: AuditMemo = new Map(),
): Promise<AuditSum> {
  return withAuditFiles(fs, layout, async ({ files, strange }) => {
    // After the files: one that is deleted now is open here, so its entry is of one still there.
    const { checkpoint, damaged, incomplete } = await readCheckpoint(fs, layout);
    for (const file of [...strange, ...damaged]) handlers.onDamaged?.({ file, line: 0 });
    const sums = new Map<string, FileSum>();
    for (const file of files) {
      const key = `${file.ino}:${file.bytes}:${checkpoint?.generation ?? 0}`;
      sums.set(key, memo.get(key) ?? (await readFile(fs, file, handlers, checkpoint)));
    }
    memo.clear();
    for (const [key, sum] of sums) memo.set(key, sum);
    const all = [...sums.values()];
    const total = (field: "bytes" | "spilled" | "dropped" | "damaged") =>
      all.reduce((sum, file) => sum + file[field], 0);
    return {
      here: {
        files: files.length,
        bytes: total("bytes"),
        spilled: total("spilled"),
        dropped: total("dropped"),
        damaged: total("damaged") + strange.length,
      },
      gone: checkpoint
        ? totalsOfGone(checkpoint, [...new Set(all.flatMap(({ entries }) => entries))])
        : NONE,
      goneIncomplete: incomplete || checkpoint?.incomplete === true,
    };
  });
}

/** The newest line of an id, or undefined if no file has one. @throws system errors */
export async function findDropped(
  fs: DurableFs,
  layout: QueueLayout,
  ulid: string,
): Promise<AuditLine | undefined> {
  return withAuditFiles(fs, layout, async ({ files }) => {
    for (const file of files.toReversed()) {
      for await (const { bytes } of blocksBackwards(fs, file.fd, file.bytes)) {
        const line = lastOf(bytes, ulid);
        if (line) return line;
      }
    }
    return undefined;
  });
}

/**
 * The last lines, oldest first, synchronously, for start-up recovery. Damaged lines are left out.
 * @param bytesMax of the end of the log, across files
 * @throws system errors
 */
export function auditTail(fs: DurableFsSync, layout: QueueLayout, bytesMax: number): AuditLine[] {
  const ends: Buffer[] = [];
  const seen = new Set<number>();
  let room = bytesMax;
  for (const name of auditFileNames(layout, namesSync(fs, layout))) {
    if (room <= 0) break;
    const end = readEndSync(fs, join(layout.dir, name), room, seen);
    if (!end) continue;
    room -= end.length;
    ends.unshift(end);
  }
  const lines: AuditLine[] = [];
  for (const end of ends) {
    const splitter = new LineSplitter((text) => {
      const line = parseAuditLine(text);
      if (line) lines.push(line);
    });
    splitter.push(end);
    splitter.end();
  }
  return lines;
}

async function readFile(
  fs: DurableFs,
  { fd, name }: OpenAuditFile,
  { onLine, onDamaged }: AuditHandlers,
  checkpoint: AuditCheckpoint | undefined,
): Promise<FileSum> {
  const entries = checkpoint?.entries ?? [];
  const hashes = new PrefixHashes(entries.map(({ bytes }) => bytes));
  const count = new AuditCount();
  const lines = new LineSplitter((text, number) => {
    const isWhole = count.add(text);
    if (!isWhole) onDamaged?.({ file: name, line: number });
    const line = isWhole && onLine ? parseAuditLine(text) : undefined;
    if (line) onLine?.(line, { file: name, line: number });
  });
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let read = 1; read > 0; ) {
    read = await fs.readAt(fd, chunk, hashes.bytes);
    hashes.push(chunk.subarray(0, read));
    lines.push(chunk.subarray(0, read));
  }
  lines.end();
  const { spilled, dropped, damaged } = count;
  const named = entries.filter((entry) => hashes.beginsWith(entry));
  return { bytes: hashes.bytes, spilled, dropped, damaged, entries: named };
}

/** The last whole line of an id in a block of whole lines. */
function lastOf(block: Buffer, ulid: string): AuditLine | undefined {
  for (let at = block.lastIndexOf(ulid); at !== -1; ) {
    const start = block.lastIndexOf(LINE_FEED, at) + 1;
    const end = block.indexOf(LINE_FEED, at);
    const line = parseAuditLine(block.toString("latin1", start, end === -1 ? block.length : end));
    if (line?.dropped_ulid === ulid) return line;
    if (at === 0) break;
    at = block.lastIndexOf(ulid, at - 1);
  }
  return undefined;
}

/** undefined for what is gone, no file, or was seen under another name. */
function readEndSync(
  fs: DurableFsSync,
  path: string,
  bytesMax: number,
  seen: Set<number>,
): Buffer | undefined {
  let fd: number;
  try {
    fd = fs.openRead(path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ELOOP", "ENXIO")) return undefined;
    throw error;
  }
  try {
    const { kind, bytes, ino } = fs.factsOfDescriptor(fd);
    if (kind !== "file" || seen.has(ino)) return undefined;
    seen.add(ino);
    const wanted = Math.min(bytes, bytesMax);
    return readBytes(fs, fd, wanted, bytes - wanted);
  } finally {
    fs.close(fd);
  }
}

function namesSync(fs: DurableFsSync, layout: QueueLayout): string[] {
  try {
    return fs.names(layout.dir);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // no queue yet
    throw error;
  }
}
