/**
 * Looks for a few of the acknowledged records, so that a store that was removed, emptied or replaced
 * is noticed without a recount of everything.
 *
 * Guarantees: reads a handful of lines however long the ledgers are; a record on its way is found,
 * because it is looked for as a receipt is. What it does not look for, `memspool verify` does.
 * Changes nothing on disk.
 */
import { join } from "node:path";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import { ledgerHour, type QueueLayout } from "../queue/layout.ts";
import type { ReceiptResult } from "./memory.ts";

export interface SpotCheck {
  readonly lookedFor: number;
  /** How many of them are at no place. */
  readonly nowhere: number;
}

export interface SpotCheckParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  readonly receipt: (ulid: string) => Promise<Pick<ReceiptResult, "state" | "store_error">>;
}

/** The first and the last line of each are looked at. */
const LEDGER_COUNT_MAX = 6;
const LINE = /^([0-7][0-9A-HJKMNP-TV-Z]{25})\n$/;
const LINE_BYTES = 27;

/** @throws the system error of the reading; what `receipt` throws */
export async function spotCheck({ fs, layout, receipt }: SpotCheckParts): Promise<SpotCheck> {
  const ulids = new Set<string>();
  for (const name of spread(await ledgers(fs, layout))) {
    for (const ulid of await endsOf(fs, join(layout.dir, name))) ulids.add(ulid);
  }
  let nowhere = 0;
  for (const ulid of ulids) {
    const { state, store_error } = await receipt(ulid);
    if (state === "unknown" && store_error === undefined) nowhere++;
  }
  return { lookedFor: ulids.size, nowhere };
}

async function ledgers(fs: DurableFs, layout: QueueLayout): Promise<string[]> {
  try {
    const names = await fs.names(layout.dir);
    return names.filter((name) => ledgerHour(name) !== undefined).sort();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // no queue yet
    throw error;
  }
}

/** The oldest, the newest, and some in between. */
function spread(names: readonly string[]): string[] {
  const count = Math.min(names.length, LEDGER_COUNT_MAX);
  const step = count > 1 ? (names.length - 1) / (count - 1) : 0;
  return Array.from({ length: count }, (_, n) => names[Math.round(n * step)] as string);
}

/** Lines that were torn are passed over. */
async function endsOf(fs: DurableFs, path: string): Promise<string[]> {
  const fd = await fs.openRead(path);
  try {
    const last = (await fs.size(fd)) - LINE_BYTES;
    const line = Buffer.alloc(LINE_BYTES);
    const ulids: string[] = [];
    for (const at of [0, Math.max(0, last)]) {
      const bytes = await fs.readAt(fd, line, at);
      const ulid = LINE.exec(line.toString("latin1", 0, bytes))?.[1];
      if (ulid !== undefined) ulids.push(ulid);
    }
    return ulids;
  } finally {
    await fs.close(fd);
  }
}
