/**
 * An order to forget records, as it lies on disk until everything of them is gone, and afterwards as
 * the tombstone outside the store. docs/QUEUE_FORMAT.md, "Forgetting".
 *
 *   queue/forget/<request>.json ──▶ purged everywhere ──▶ queue/forget/done/<request>.json
 *
 * Guarantees: once `placeOrder` has returned, the order survives a power cut, and every process hides
 * its records (forget-view.ts); at every moment from then on it has at least one durable name. Holds
 * ids, a time and the caller's reason; never a record's content. Anything but a whole order is damage,
 * which is told and not acted upon.
 */

import { basename, join } from "node:path";
import { crc32 } from "node:zlib";
import { z } from "zod";
import { MemspoolError } from "../errors.ts";
import {
  type DurableFsSync,
  factsIfThere,
  readRegularFile,
  syncDirectorySync,
  unlinkIfThere,
} from "../platform/durable-fs-sync.ts";
import { errnoOf, isErrno } from "../platform/errno.ts";
import { FORGET_COUNT_MAX, FORGET_REASON_BYTES_MAX } from "../record/limits.ts";
import { ulidSchema } from "../record/memory-record.ts";
import { ensureQueueDirectories } from "./directories.ts";
import { type QueueLayout, tempPath } from "./layout.ts";
import { placeBytes } from "./place-bytes.ts";
import { moveAside } from "./quarantine.ts";

const orderSchema = z.object({
  request: ulidSchema,
  /** ISO 8601. */
  at: z.string(),
  reason: z.string().max(FORGET_REASON_BYTES_MAX),
  ulids: z.array(ulidSchema).max(FORGET_COUNT_MAX),
});

export type OrderFile = Readonly<z.infer<typeof orderSchema>>;

/** Ids and commas, and room for the rest. */
const ORDER_BYTES_MAX = FORGET_COUNT_MAX * 29 + 65_536;
const NAME = /^([0-7][0-9A-HJKMNP-TV-Z]{25})\.json$/;
const CHECKSUM = /^,"crc32":"([0-9a-f]{8})"\}$/;
const CHECKSUM_BYTES = ',"crc32":"00000000"}'.length;

export function orderPath(layout: QueueLayout, request: string): string {
  return join(layout.forgetDir, `${request}.json`);
}

export function doneOrderPath(layout: QueueLayout, request: string): string {
  return join(layout.forgottenDir, `${request}.json`);
}

/** Ids of orders among a directory's names, oldest first. */
export function sortOrders(names: readonly string[]): string[] {
  return names.flatMap((name) => NAME.exec(name)?.[1] ?? []).sort();
}

export function encodeOrder({ request, at, reason, ulids }: OrderFile): Buffer {
  const text = JSON.stringify({ request, at, reason, ulids }).slice(0, -1);
  return Buffer.from(`${text},"crc32":"${checksumOf(Buffer.from(text))}"}`);
}

/** @param bytes the whole file; undefined if it is not what {@link encodeOrder} made */
export function decodeOrder(bytes: Buffer, request: string): OrderFile | undefined {
  const at = Math.max(0, bytes.length - CHECKSUM_BYTES);
  const checksum = CHECKSUM.exec(bytes.toString("latin1", at))?.[1];
  const proven = bytes.subarray(0, at);
  if (checksum === undefined || checksum !== checksumOf(proven)) return undefined;
  try {
    const order = orderSchema.safeParse(JSON.parse(`${proven.toString("utf8")}}`)).data;
    return order?.request === request ? order : undefined;
  } catch {
    return undefined; // not JSON: not written by us
  }
}

/**
 * Effect on disk: `queue/forget/<request>.json`, durable; its directory is made when there is none.
 * @throws MemspoolError DATA_DIR_UNUSABLE, UNSAFE_PATH
 */
export function placeOrder(fs: DurableFsSync, layout: QueueLayout, order: OrderFile): void {
  // Without a queue there may be a store all the same: one that was brought here by itself.
  if (!factsIfThere(fs, layout.dir)) ensureQueueDirectories(fs, layout);
  try {
    for (const dir of [layout.forgetDir, layout.forgottenDir]) makeDirectory(fs, dir);
    syncDirectorySync(fs, layout.dir);
    const path = orderPath(layout, order.request);
    placeBytes(fs, tempPath(layout, order.request), path, encodeOrder(order));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    throw new MemspoolError(
      "DATA_DIR_UNUSABLE",
      `The order to forget could not be written (${errno}). Nothing was forgotten; see whether the ` +
        "disk is full or read-only (`memspool doctor`), and ask again.",
      { details: { path: layout.forgetDir, errno }, cause: error },
    );
  }
}

/** Requests that are not carried out yet, oldest first; none without the directory. */
export function listOrders(fs: DurableFsSync, directory: string): string[] {
  try {
    return sortOrders(fs.names(directory));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // nothing was ever forgotten
    throw error;
  }
}

/**
 * @param directory `forgetDir`, or `forgottenDir` for what is done
 * @returns "gone" if there is none any more, "damaged" for a file that is no order
 * @throws the system error of the reading
 */
export function readOrder(
  fs: DurableFsSync,
  directory: string,
  request: string,
): OrderFile | "gone" | "damaged" {
  try {
    const bytes = readRegularFile(fs, join(directory, `${request}.json`), ORDER_BYTES_MAX);
    if (bytes === undefined) return "gone";
    return decodeOrder(bytes, request) ?? "damaged";
  } catch (error) {
    if (isErrno(error, "EISDIR", "EINVAL", "EFBIG", "ELOOP")) return "damaged";
    throw error;
  }
}

/**
 * The order is carried out: its file goes to `done/`, where it keeps the ids from coming back should
 * the store be lost. Repeating it after a crash finishes it.
 * @throws the system error of the failing call
 */
export function settleOrder(fs: DurableFsSync, layout: QueueLayout, request: string): void {
  const from = orderPath(layout, request);
  const to = doneOrderPath(layout, request);
  if (!factsIfThere(fs, from)) return;
  // Crash inside: both names of one file; the order is carried out once more, and ends here.
  if (factsIfThere(fs, to) && !isSame(fs, from, to)) unlinkIfThere(fs, from);
  else moveAside(fs, from, to);
  syncDirectorySync(fs, layout.forgetDir);
}

function isSame(fs: DurableFsSync, one: string, other: string): boolean {
  const [first, second] = [factsIfThere(fs, one), factsIfThere(fs, other)];
  return first?.ino === second?.ino && first?.dev === second?.dev;
}

function makeDirectory(fs: DurableFsSync, dir: string): void {
  try {
    fs.makeDirectory(dir);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    const { kind } = fs.facts(dir);
    if (kind === "directory") return;
    throw new MemspoolError(
      "UNSAFE_PATH",
      `${basename(dir)} in the queue is a ${kind}, where memspool keeps its orders to forget. Move ` +
        "it away; nothing was forgotten.",
      { details: { path: dir } },
    );
  }
}

function checksumOf(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, "0");
}
