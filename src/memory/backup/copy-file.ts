/**
 * Copies one file durably, hashing what goes by.
 *
 * Guarantees: the copy is whole, of the size and hash that are returned, 0600 and fsynced when this
 * resolves; its name is the caller's to sync. A file that grows meanwhile is copied as it was when
 * it was opened, without a last piece that was only half there then. A source that can not be read
 * is said to be so and leaves no copy; a copy that can not be written is an error. Holds one chunk
 * in memory. Follows no symlink.
 */
import { createHash } from "node:crypto";
import { type DurableFs, seal, writeAll } from "../../platform/durable-fs.ts";
import { errnoOf, isErrno } from "../../platform/errno.ts";

export interface CopiedFile {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export type CopyOutcome =
  | { readonly copied: CopiedFile }
  /** It moved on meanwhile. */
  | { readonly gone: true }
  /** Why it could not be read: an errno, or what it is instead of a file. */
  | { readonly unreadable: string };

/** How many of a file's first bytes are whole pieces. */
export type WholeBytes = (fs: DurableFs, fd: number, bytes: number) => Promise<number>;

const CHUNK_BYTES = 262_144;

/** @throws the system error of the copy's side */
export async function copyFile(
  fs: DurableFs,
  from: string,
  to: string,
  wholeBytes?: WholeBytes,
): Promise<CopyOutcome> {
  let source: number;
  try {
    source = await fs.openRead(from);
  } catch (error) {
    return outcomeOf(error);
  }
  try {
    return await copyOpened(fs, source, to, wholeBytes);
  } finally {
    await fs.close(source).catch(() => {}); // nothing was written through it
  }
}

/** As {@link copyFile}, from an open descriptor, which stays open. */
export async function copyOpened(
  fs: DurableFs,
  source: number,
  to: string,
  wholeBytes?: WholeBytes,
): Promise<CopyOutcome> {
  let bytes: number;
  try {
    const facts = await fs.factsOfDescriptor(source);
    if (facts.kind !== "file") return { unreadable: facts.kind };
    bytes = await bytesToCopy(fs, source, facts.bytes, wholeBytes);
  } catch (error) {
    return outcomeOf(error);
  }
  const target = await fs.openExclusive(to);
  let outcome: CopyOutcome;
  try {
    outcome = await pour(fs, source, target, bytes);
    if ("copied" in outcome) await seal(fs, target, bytes);
  } finally {
    await fs.close(target);
  }
  if (!("copied" in outcome)) await fs.unlink(to);
  return outcome;
}

/** Size and hash of a file. @throws the system error; EISDIR or EINVAL if it is none */
export async function measureFile(fs: DurableFs, path: string): Promise<CopiedFile> {
  const fd = await fs.openRead(path);
  try {
    const { kind } = await fs.factsOfDescriptor(fd);
    if (kind !== "file") throw Object.assign(new Error(`EINVAL: a ${kind}`), { code: "EINVAL" });
    const hash = createHash("sha256");
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let bytes = 0;
    for (let read = -1; read !== 0; bytes += read) {
      read = await fs.readAt(fd, chunk, bytes);
      hash.update(chunk.subarray(0, read));
    }
    return { bytes, sha256: hash.digest("hex") };
  } finally {
    await fs.close(fd);
  }
}

async function bytesToCopy(
  fs: DurableFs,
  source: number,
  bytes: number,
  wholeBytes: WholeBytes | undefined,
): Promise<number> {
  const whole = (await wholeBytes?.(fs, source, bytes)) ?? bytes;
  if (whole === bytes) return bytes;
  // Half a piece at the end is copied as it lies there, unless somebody was just writing it.
  const { bytes: bytesNow } = await fs.factsOfDescriptor(source);
  return bytesNow > bytes ? whole : bytes;
}

async function pour(
  fs: DurableFs,
  source: number,
  target: number,
  bytes: number,
): Promise<CopyOutcome> {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(bytes, 1)));
  for (let copied = 0; copied < bytes; ) {
    const piece = chunk.subarray(0, Math.min(chunk.length, bytes - copied));
    let read: number;
    try {
      read = await fs.readAt(source, piece, copied);
    } catch (error) {
      return outcomeOf(error);
    }
    if (read === 0) return { unreadable: "cut while it was read" };
    hash.update(piece.subarray(0, read));
    await writeAll(fs, target, piece.subarray(0, read));
    copied += read;
  }
  return { copied: { bytes, sha256: hash.digest("hex") } };
}

function outcomeOf(error: unknown): CopyOutcome {
  if (isErrno(error, "ENOENT")) return { gone: true };
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  return { unreadable: errno };
}
