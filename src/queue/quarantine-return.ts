/**
 * Sends one quarantined envelope back to pending, to be tried again.
 *
 * Guarantees: at every moment the envelope has at least one durable name that nobody else counts on
 * or removes, whatever dies and whoever works on it meanwhile. A damaged one stays, and so does one
 * whose id is pending. The record starts afresh: attempts of a dead handler's mark do not count.
 *
 *   read, verify → remove a stale mark → reserve a number that no quarantine uses → rename reason and
 *     envelope to it → write a copy, link it as pending → fsync queue → unlink the envelope
 *     → fsync quarantine → unlink the reason
 *
 * Others move the same record the other way at the same time, and each step answers to one of them.
 * - The ingester may set the copy aside again before the old name is gone, and lets go of it when it
 *   finds the same bytes in quarantine. So the old name goes first, to a number beyond those that it
 *   looks at: it finds nothing there and makes a name of its own.
 * - Recovery removes a pending name whose file has a second name in quarantine. So a copy is linked
 *   and not the file itself.
 * - Whoever finds the id pending can not know whether an ingester is about to let go of that name.
 *   So only an own link counts; else the record stays in quarantine as well, which is stored once.
 *
 * A crash leaves the envelope in quarantine, under its old or its new name, which is listed, read and
 * sent back like any other, perhaps with a reason that says nothing; from the link on, a pending copy
 * beside it: it is ingested or set aside again, and a later retry of the old one ends as a duplicate.
 */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { MemspoolError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import { type DurableFs, type FileFacts, writeWhole } from "../platform/durable-fs.ts";
import { errnoOf, isErrno, NO_LINK_ERRNOS } from "../platform/errno.ts";
import type { SharedDirectorySync } from "../platform/shared-directory-sync.ts";
import { MARK_FRESH_MS } from "./claim.ts";
import { markPath, pendingPath, type QueueLayout, quarantinedUlid, tempPath } from "./layout.ts";
import { namesSpent, quarantinePath, reasonPath, SAME_NAME_MAX } from "./quarantine.ts";
import { lookAtEnvelope } from "./read-pending.ts";

export interface ReturnParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  readonly clock: Clock;
  readonly events: Events;
  /** Of the queue directory. */
  readonly directory: SharedDirectorySync;
  /** Of the quarantine. */
  readonly quarantineDirectory: SharedDirectorySync;
}

/**
 * `returned`: pending now, and no longer in quarantine. `pending`: it is pending already, and stays
 * in quarantine as well. `gone`: it has left meanwhile. Otherwise why it stays.
 */
export type ReturnOutcome = "returned" | "pending" | "gone" | MemspoolError;

/** The greatest number that a quarantined envelope's name can have. */
const NUMBER_MAX = 9_999;
const NUMBER_TRIES_MAX = 100;

/** @param file a quarantined envelope's name. Effect on disk: as above */
export async function returnFromQuarantine(
  parts: ReturnParts,
  file: string,
): Promise<ReturnOutcome> {
  const ulid = quarantinedUlid(file);
  if (ulid === undefined) throw new TypeError("not the name of a quarantined envelope");
  try {
    return await returnEnvelope(parts, ulid, join(parts.layout.quarantineDir, file));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return diskFailed(ulid, errno, error);
  }
}

async function returnEnvelope(
  parts: ReturnParts,
  ulid: string,
  path: string,
): Promise<ReturnOutcome> {
  const { fs, layout, quarantineDirectory, events } = parts;
  const first = await lookAtEnvelope(fs, path, ulid);
  if (!first) return "gone";
  if (first.fault) return first.fault;
  const holder = await holderOf(parts, ulid, first.bytes);
  if (holder) return holder;
  await removeStaleMark(parts, ulid);
  const aside = await setApart(fs, layout, ulid, path);
  // Read again: since the first look the name may have come to another file.
  const look = aside === undefined ? undefined : await lookAtEnvelope(fs, aside, ulid);
  if (aside === undefined || !look) return "gone";
  if (look.fault) return look.fault;
  if (!(await linkCopy(parts, ulid, look.bytes))) {
    return (await holderOf(parts, ulid, look.bytes)) ?? "pending";
  }
  await unlinkIfThere(fs, aside);
  events.emit("quarantine_returned", { ulid });
  await quarantineDirectory.sync();
  await unlinkIfThere(fs, reasonPath(aside));
  return "returned";
}

/** What has the id already; undefined if nothing is pending under it. */
async function holderOf(
  { fs, layout }: ReturnParts,
  ulid: string,
  bytes: Buffer,
): Promise<"pending" | MemspoolError | undefined> {
  const there = await lookAtEnvelope(fs, pendingPath(layout, ulid), ulid);
  if (!there) return undefined;
  if (there.bytes?.equals(bytes)) return "pending";
  return there.fault?.code === "ENVELOPE_UNREADABLE" ? there.fault : conflict(ulid);
}

/** A fresh mark may be somebody's; one that is older than any live handler's says nothing true. */
async function removeStaleMark({ fs, layout, clock }: ReturnParts, ulid: string): Promise<void> {
  const path = markPath(layout, ulid);
  const mark = await factsIfThere(fs, path);
  if (mark?.kind !== "file" || Math.abs(clock.nowMs() - mark.mtimeMs) <= MARK_FRESH_MS) return;
  await unlinkIfThere(fs, path);
}

/**
 * Gives the quarantined file and its reason a number that only returns use.
 * @returns its new path; undefined if another return took it
 */
async function setApart(
  fs: DurableFs,
  layout: QueueLayout,
  ulid: string,
  path: string,
): Promise<string | undefined> {
  const aside = await reserve(fs, layout, ulid);
  let hasReason = false;
  try {
    // The reason first: as long as the envelope has its name, nobody else uses the reason's.
    hasReason = await renameIfThere(fs, reasonPath(path), reasonPath(aside));
    if (await renameIfThere(fs, path, aside)) return aside;
  } catch (error) {
    if (hasReason) await renameIfThere(fs, reasonPath(aside), reasonPath(path)).catch(() => {});
    throw error; // the disk's failure is the one to tell; a reason without an envelope is not listed
  }
  await unlinkIfThere(fs, reasonPath(aside));
  return undefined;
}

/** Whoever makes the reason's file has the number: a rename would overwrite in silence. */
async function reserve(fs: DurableFs, layout: QueueLayout, ulid: string): Promise<string> {
  for (let tries = 0; tries < NUMBER_TRIES_MAX; tries++) {
    const path = quarantinePath(layout, ulid, randomInt(SAME_NAME_MAX + 1, NUMBER_MAX + 1));
    try {
      await fs.close(await fs.openExclusive(reasonPath(path)));
    } catch (error) {
      if (isErrno(error, "EEXIST")) continue;
      throw error;
    }
    if (!(await factsIfThere(fs, path))) return path;
  }
  throw namesSpent();
}

/** @returns false if the id is pending; after true, pending name and file survive a crash */
async function linkCopy(
  { fs, layout, directory }: ReturnParts,
  ulid: string,
  bytes: Buffer,
): Promise<boolean> {
  const temp = tempPath(layout, ulid);
  const pending = pendingPath(layout, ulid);
  try {
    await writeWhole(fs, temp, bytes);
    await fs.link(temp, pending);
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    if (!isErrno(error, ...NO_LINK_ERRNOS)) throw error;
    if (await factsIfThere(fs, pending)) return false;
    await fs.rename(temp, pending);
  } finally {
    await unlinkIfThere(fs, temp).catch(() => {}); // what stays is swept
  }
  await directory.sync();
  return true;
}

/** False if nothing is there. */
async function renameIfThere(fs: DurableFs, from: string, to: string): Promise<boolean> {
  try {
    await fs.rename(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

async function factsIfThere(fs: DurableFs, path: string): Promise<FileFacts | undefined> {
  try {
    return await fs.facts(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function unlinkIfThere(fs: DurableFs, path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error; // gone is what was wanted
  }
}

function conflict(ulid: string): MemspoolError {
  return new MemspoolError(
    "ULID_CONFLICT",
    `${ulid} is pending with other bytes. This one stays in quarantine; retry it when the other ` +
      "is in the store.",
    { details: { ulid } },
  );
}

function diskFailed(ulid: string, errno: string, cause: unknown): MemspoolError {
  return new MemspoolError(
    "DATA_DIR_UNUSABLE",
    `The disk failed (${errno}) while ${ulid} was sent back. It is in quarantine or pending, or in ` +
      "both, which is stored once. Mend the disk, then retry.",
    { details: { ulid, errno }, cause },
  );
}
