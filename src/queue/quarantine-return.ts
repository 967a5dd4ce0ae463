/**
 * Sends one quarantined envelope back to pending, to be tried again.
 *
 * Guarantees: at every moment the envelope has at least one durable name of its own, whatever dies
 * and whoever works on it meanwhile. A damaged one stays, and so does one whose id is pending with
 * other bytes. The record starts afresh: attempts of a dead handler's mark do not count.
 *
 *   read, verify → remove a stale mark → write a copy → link the copy as pending → fsync queue
 *     → unlink the reason → rename the quarantined name aside → is it what was read? → unlink it
 *     → fsync quarantine
 *
 * A copy, and not a second name of the same file: the ingester may find the record, fail on it and
 * set it aside again before the old name is gone. With one file it would take the old name for its
 * own, let go of the pending one, and the unlink here would lose the record. A copy that is set
 * aside gets a name of its own, `.2`, and its own reason. For the same reason the old name is moved
 * aside before it is removed: should another retry have been faster and the name belong to a newer
 * file by now, that file is put back. And the old reason goes first, while the old name still keeps
 * others from using its place.
 *
 * A crash before the link leaves a temp file, which recovery sweeps; from then on, both the pending
 * copy and the quarantined file, perhaps without its reason. Recovery leaves both alone, for they
 * are two files: the record is ingested, or set aside again beside the old one, and a retry of the
 * old one ends as a duplicate.
 * After the rename the old file lies under a temp name in the quarantine and is swept.
 *
 * A record that has one file under both names is on its way into quarantine, or a crash cut that
 * move: it is left to the ingester, which tries it from pending, or to recovery, which ends the move.
 */
import { basename, join } from "node:path";
import { MemspoolError } from "../errors.ts";
import type { Events } from "../events/catalogue.ts";
import type { Clock } from "../platform/clock.ts";
import type { DurableFs, FileFacts, FileIdentity } from "../platform/durable-fs.ts";
import { errnoOf, isErrno, NO_LINK_ERRNOS } from "../platform/errno.ts";
import type { SharedDirectorySync } from "../platform/shared-directory-sync.ts";
import { MARK_FRESH_MS } from "./claim.ts";
import { markPath, pendingPath, type QueueLayout, quarantinedUlid, tempPath } from "./layout.ts";
import { publish } from "./publish.ts";
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
 * `returned`: pending now, and no longer in quarantine. `pending`: it was pending already.
 * `gone`: it has left the quarantine meanwhile. Otherwise why it stays.
 */
export type ReturnOutcome = "returned" | "pending" | "gone" | MemspoolError;

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
    const errno = error instanceof MemspoolError ? error.details.errno : errnoOf(error);
    if (typeof errno !== "string") throw error;
    return diskFailed(ulid, errno, error);
  }
}

async function returnEnvelope(
  parts: ReturnParts,
  ulid: string,
  path: string,
): Promise<ReturnOutcome> {
  const { fs, layout, events } = parts;
  const quarantined = await factsIfThere(fs, path);
  const look = await lookAtEnvelope(fs, path, ulid);
  if (!quarantined || !look) return "gone";
  if (look.fault) return look.fault;
  await removeStaleMark(parts, ulid);
  const pending = await factsIfThere(fs, pendingPath(layout, ulid));
  if (pending && sameFile(pending, quarantined)) return "pending";
  const { bytes, envelope } = look;
  if (!(await makePending(parts, ulid, bytes, envelope))) return conflict(ulid);
  await takeOut(parts, ulid, path, quarantined);
  events.emit("quarantine_returned", { ulid });
  return "returned";
}

/** A fresh mark may be somebody's; one that is older than any live handler's says nothing true. */
async function removeStaleMark({ fs, layout, clock }: ReturnParts, ulid: string): Promise<void> {
  const path = markPath(layout, ulid);
  const mark = await factsIfThere(fs, path);
  if (mark?.kind !== "file" || Math.abs(clock.nowMs() - mark.mtimeMs) <= MARK_FRESH_MS) return;
  await unlinkIfThere(fs, path);
}

/** False if other bytes have the id. Afterwards the pending name and its file survive a crash. */
async function makePending(
  { fs, layout, directory }: ReturnParts,
  ulid: string,
  bytes: Buffer,
  { sha256, appendedAt }: { readonly sha256: string; readonly appendedAt: string },
): Promise<boolean> {
  const there = await lookAtEnvelope(fs, pendingPath(layout, ulid), ulid);
  if (there) {
    if (!there.bytes?.equals(bytes)) return false;
    // Left by a return that was cut short; its name may not be durable yet.
    await directory.sync();
    return true;
  }
  try {
    const published = await publish({ fs, layout, directory }, { ulid, bytes, sha256, appendedAt });
    return published === appendedAt; // else another attempt's of the same text has the name
  } catch (error) {
    if (error instanceof MemspoolError && error.code === "ULID_CONFLICT") return false;
    throw error;
  }
}

/** Removes the quarantined name and its reason, if it still is the file that was read. */
async function takeOut(
  { fs, layout, quarantineDirectory }: ReturnParts,
  ulid: string,
  path: string,
  read: FileIdentity,
): Promise<void> {
  const now = await factsIfThere(fs, path);
  if (!now || !sameFile(now, read)) return; // another retry took it out
  await unlinkIfThere(fs, reasonPath(path));
  const aside = join(layout.quarantineDir, basename(tempPath(layout, ulid)));
  try {
    await fs.rename(path, aside);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return; // as above, a moment later
    throw error;
  }
  if (!sameFile(await fs.facts(aside), read)) await putBack(fs, layout, ulid, aside);
  await unlinkIfThere(fs, aside);
  await quarantineDirectory.sync();
}

async function putBack(
  fs: DurableFs,
  layout: QueueLayout,
  ulid: string,
  aside: string,
): Promise<void> {
  for (let number = 1; number <= SAME_NAME_MAX; number++) {
    const path = quarantinePath(layout, ulid, number);
    try {
      await fs.link(aside, path);
      return;
    } catch (error) {
      if (isErrno(error, "EEXIST")) continue;
      if (!isErrno(error, ...NO_LINK_ERRNOS)) throw error;
      if (await factsIfThere(fs, path)) continue;
      await fs.rename(aside, path);
      return;
    }
  }
  throw namesSpent();
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

function sameFile(one: FileIdentity, other: FileIdentity): boolean {
  return one.ino === other.ino && one.dev === other.dev;
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
    `The disk failed (${errno}) while ${ulid} was sent back. It is still in quarantine, and may be ` +
      "pending as well, which is stored once. Mend the disk, then retry.",
    { details: { ulid, errno }, cause },
  );
}
