/**
 * Brings one envelope onto the disk: steps 1–7 of docs/QUEUE_FORMAT.md, "Append".
 *
 * Guarantees: when `publish` resolves, the envelope is whole under its pending name and both
 * survive a power cut. When it rejects before the link, nothing is visible, and the error says
 * `stored: "no"` exactly if no temp file is left. When it rejects from the link on, it says
 * `stored: "unknown"` and names the id. A name that is taken is never overwritten.
 * An envelope that was published and already ingested by the time of a retry is published again;
 * the store recognises it by its id.
 */

import { MemspoolError, type StoredState } from "../errors.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { errnoOf, isErrno, NO_LINK_ERRNOS } from "../platform/errno.ts";
import type { SharedDirectorySync } from "../platform/shared-directory-sync.ts";
import { decodeEnvelope, type Envelope } from "../record/envelope.ts";
import { ENVELOPE_BYTES_MAX } from "../record/limits.ts";
import { pendingPath, type QueueLayout, tempPath } from "./layout.ts";

export interface PublishParts {
  readonly fs: DurableFs;
  readonly layout: QueueLayout;
  readonly directory: SharedDirectorySync;
}

export interface EncodedEnvelope {
  readonly ulid: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** ISO 8601, as in the bytes. */
  readonly appendedAt: string;
}

/** Times that a taken name may turn out free again before a retry gives up. */
const NAME_TRIES_MAX = 3;

/**
 * @returns `appended_at` of the envelope that has the name: ours, or of the attempt we repeat
 * @throws MemspoolError CAPTURE_FAILED (details: stored, errno, step), ULID_CONFLICT
 */
export async function publish(parts: PublishParts, envelope: EncodedEnvelope): Promise<string> {
  const { fs, layout, directory } = parts;
  const temp = tempPath(layout, envelope.ulid);
  const target = pendingPath(layout, envelope.ulid);
  const fd = await writeTemp(fs, temp, envelope);
  // Nobody waits for the close: the fsync has vouched for the bytes, a close can not take that back.
  const closed = fs.close(fd).catch(() => {});
  let appendedAt: string;
  try {
    appendedAt = await giveName(fs, temp, target, envelope);
  } catch (error) {
    await closed;
    const tempGone = await removed(fs, temp);
    if (error instanceof MemspoolError) throw error;
    const stored = tempGone && (await absent(fs, target)) ? "no" : "unknown";
    throw captureFailed("link", error, stored, envelope.ulid);
  }
  // Crash here: the envelope is there under both names or one; a leftover temp name is swept. So the
  // temp name may go beside the fsync, not before it.
  const tidied = Promise.all([closed, removed(fs, temp)]);
  try {
    await directory.sync();
  } catch (error) {
    throw captureFailed("directory fsync", error, "unknown", envelope.ulid);
  } finally {
    await tidied;
  }
  return appendedAt;
}

/** @returns the descriptor of a whole, fsynced file */
async function writeTemp(fs: DurableFs, temp: string, envelope: EncodedEnvelope): Promise<number> {
  const { bytes, ulid } = envelope;
  let step = "open";
  let fd: number | undefined;
  try {
    fd = await fs.openExclusive(temp);
    step = "write";
    for (let offset = 0; offset < bytes.length; ) {
      const written = await fs.write(fd, bytes, offset, bytes.length - offset);
      if (written <= 0) throw shortFile("nothing was written");
      offset += written;
    }
    step = "fsync";
    await fs.fsync(fd);
    step = "size check";
    if ((await fs.size(fd)) !== bytes.length) throw shortFile("the file is short");
    return fd;
  } catch (error) {
    if (fd !== undefined) await fs.close(fd).catch(() => {}); // the first failure is the one to tell
    // A temp file that was never created is as good as removed.
    const gone = await removed(fs, temp);
    throw captureFailed(step, error, gone ? "no" : "unknown", ulid);
  }
}

/**
 * Links, or renames where there are no links.
 * @returns `appended_at` of what has the name now: ours, or the same text of an earlier attempt
 */
async function giveName(
  fs: DurableFs,
  temp: string,
  target: string,
  envelope: EncodedEnvelope,
): Promise<string> {
  for (let tries = 1; ; tries++) {
    try {
      await fs.link(temp, target);
      return envelope.appendedAt;
    } catch (error) {
      if (isErrno(error, ...NO_LINK_ERRNOS)) {
        if (await absent(fs, target)) {
          await fs.rename(temp, target);
          return envelope.appendedAt;
        }
      } else if (!isErrno(error, "EEXIST") || tries === NAME_TRIES_MAX) {
        throw error;
      }
    }
    // Taken: by the attempt that this one repeats, whose directory fsync may have failed.
    const holder = await holderOf(fs, target, envelope.ulid);
    if (holder === undefined) continue; // ingested between the two looks: the name is free again
    if (holder === "no envelope" || holder.sha256 !== envelope.sha256) {
      throw ulidConflict(envelope.ulid);
    }
    return holder.appendedAt;
  }
}

/** What a taken name holds; undefined if it is free again. */
async function holderOf(
  fs: DurableFs,
  path: string,
  ulid: string,
): Promise<Envelope | "no envelope" | undefined> {
  try {
    const { kind, bytes } = await fs.facts(path);
    if (kind !== "file" || bytes > ENVELOPE_BYTES_MAX) return "no envelope";
    return decodeEnvelope(await fs.read(path), ulid);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    if (error instanceof MemspoolError || isErrno(error, "ELOOP", "EISDIR")) return "no envelope";
    throw error;
  }
}

async function absent(fs: DurableFs, path: string): Promise<boolean> {
  return fs.facts(path).then(
    () => false,
    (error: unknown) => isErrno(error, "ENOENT"),
  );
}

/** True if the name is gone. What stays is swept by recovery. */
async function removed(fs: DurableFs, path: string): Promise<boolean> {
  return fs.unlink(path).then(
    () => true,
    // A read-only file system refuses before it looks whether the name is there at all.
    () => absent(fs, path),
  );
}

function shortFile(what: string): Error {
  return Object.assign(new Error(`EIO: ${what}`), { code: "EIO" });
}

function ulidConflict(ulid: string): MemspoolError {
  return new MemspoolError(
    "ULID_CONFLICT",
    `${ulid} is pending with another text. A retry repeats the very text of the attempt it ` +
      "follows; capture this one without retry_ulid.",
    { details: { ulid, stored: "no" } },
  );
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: "The disk is full: free space, then capture again.",
  EDQUOT: "The disk quota is used up: free space, then capture again.",
  EROFS: "The data directory is on a read-only file system: make it writable or set MEMSPOOL_HOME.",
  EACCES: "The data directory is not writable for this user: see `memspool doctor`.",
  EMFILE: "This process has too many open files: capture again in a moment.",
  ENFILE: "The machine has too many open files: capture again in a moment.",
};

/** @param ulid left out if there was none yet */
export function captureFailed(
  step: string,
  cause: unknown,
  stored: StoredState,
  ulid?: string,
): MemspoolError {
  const errno = errnoOf(cause) ?? "unknown";
  const after =
    stored === "no"
      ? "Nothing of it was stored. "
      : `It may be stored: repeat it with retry_ulid ${ulid}, which can not store it twice. `;
  const advice = ADVICE[errno] ?? "Capture again; if it keeps failing, see `memspool doctor`.";
  return new MemspoolError("CAPTURE_FAILED", `The ${step} failed (${errno}). ${after}${advice}`, {
    details: { stored, ...(ulid === undefined ? {} : { ulid }), errno, step },
    cause,
  });
}
