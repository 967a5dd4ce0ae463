/**
 * Reads a file of members, a done file or an overflow segment, piece by piece.
 *
 * Guarantees: memory stays bounded however large the file is; every whole member is given out, in
 * the order of the file, and every other stretch is told; envelopes are verified. Never follows a
 * symlink, never waits on a FIFO. Changes nothing on disk.
 */
import { join } from "node:path";
import { MemspoolError } from "../errors.ts";
import { type DurableFsSync, readBytes } from "../platform/durable-fs-sync.ts";
import { isErrno } from "../platform/errno.ts";
import { decodeEnvelope, type Envelope } from "../record/envelope.ts";
import { ENVELOPE_BYTES_MAX } from "../record/limits.ts";
import {
  type ArchiveMember,
  decodeMembers,
  lineUlid,
  type SkippedStretch,
} from "./archive-member.ts";
import { isArchiveName } from "./done-archive.ts";
import type { QueueLayout } from "./layout.ts";

/** More than a batch, or its largest record, can be; then as much again to find it in. */
const MEMBER_BYTES_MAX = 2 * ENVELOPE_BYTES_MAX;
const WINDOW_BYTES = 2 * MEMBER_BYTES_MAX;

export interface MemberReadOptions {
  readonly onSkipped: (stretch: SkippedStretch) => void;
  /** Bytes looked at in one piece; tests shrink it. */
  readonly windowBytes?: number;
}

/**
 * A file that is gone, or is no regular file, has no members.
 * @throws the system error of the reading
 */
export function* readMembers(
  fs: DurableFsSync,
  path: string,
  options: MemberReadOptions,
): Generator<ArchiveMember> {
  const fd = openIfFile(fs, path);
  if (fd === undefined) return;
  try {
    yield* membersOf(fs, fd, options);
  } finally {
    fs.close(fd);
  }
}

function* membersOf(
  fs: DurableFsSync,
  fd: number,
  { onSkipped, windowBytes = WINDOW_BYTES }: MemberReadOptions,
): Generator<ArchiveMember> {
  let skipped: { offset: number; bytes: number } | undefined;
  const tell = () => {
    if (skipped) onSkipped(skipped);
    skipped = undefined;
  };
  const skip = (offset: number, bytes: number) => {
    if (skipped) skipped.bytes += bytes;
    else skipped = { offset, bytes };
  };
  for (let base = 0; ; ) {
    const window = readWindow(fs, fd, base, windowBytes);
    if (window.length === 0) break;
    const last = window.length < windowBytes;
    let tail: SkippedStretch | undefined;
    const onStretch = (stretch: SkippedStretch) => {
      tail = stretch.offset + stretch.bytes === window.length ? stretch : undefined;
      if (!tail) skip(base + stretch.offset, stretch.bytes);
    };
    for (const { lines, offset } of decodeMembers(window, onStretch)) {
      tell();
      yield { lines, offset: base + offset };
    }
    if (!tail) base += window.length;
    else if (last || tail.offset === 0) {
      // Nothing whole in a window's first half: what begins there is none, wherever it would end.
      const bytes = last ? tail.bytes : Math.ceil(windowBytes / 2);
      skip(base + tail.offset, bytes);
      base += tail.offset + bytes;
    } else base += tail.offset; // perhaps a member that the window cut: read on from its start
  }
  tell();
}

/** Names of the archive's files in the order in which they were written, as far as names tell. */
export function listArchive(fs: DurableFsSync, layout: QueueLayout): string[] {
  let names: string[];
  try {
    names = fs.names(layout.doneDir).filter(isArchiveName).sort();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
  // Within an hour, several writers' names say nothing: the older first batch wrote before.
  const hours = names.map((name) => name.slice(0, HOUR_CHARS));
  const first = new Map<string, string>();
  for (const [at, name] of names.entries()) {
    const alone = hours[at - 1] !== hours[at] && hours[at + 1] !== hours[at];
    if (!alone) first.set(name, firstId(fs, join(layout.doneDir, name)));
  }
  const key = (name: string) => `${name.slice(0, HOUR_CHARS)} ${first.get(name) ?? ""} ${name}`;
  return names.sort((one, other) => (key(one) < key(other) ? -1 : 1));
}

const HOUR_CHARS = "20260301-09".length;

function firstId(fs: DurableFsSync, path: string): string {
  try {
    for (const { lines } of readMembers(fs, path, { onSkipped: () => {} })) {
      const ulid = lines[0] && lineUlid(lines[0]);
      if (ulid !== undefined) return ulid;
    }
  } catch (error) {
    if (!isErrno(error, "EIO")) throw error; // whoever reads the file meets the bad sector himself
  }
  return "";
}

/** The envelope on a member's line; undefined if the line is none. */
export function envelopeOnLine(line: Buffer): Envelope | undefined {
  const ulid = lineUlid(line);
  if (ulid === undefined) return undefined;
  try {
    return decodeEnvelope(line, ulid);
  } catch (error) {
    if (error instanceof MemspoolError) return undefined;
    throw error;
  }
}

function openIfFile(fs: DurableFsSync, path: string): number | undefined {
  const fd = openIfThere(fs, path);
  if (fd === undefined) return undefined;
  let isFile = false;
  try {
    isFile = fs.factsOfDescriptor(fd).kind === "file";
    return isFile ? fd : undefined;
  } finally {
    if (!isFile) fs.close(fd);
  }
}

function openIfThere(fs: DurableFsSync, path: string): number | undefined {
  try {
    return fs.openRead(path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ELOOP", "ENXIO")) return undefined;
    throw error;
  }
}

function readWindow(fs: DurableFsSync, fd: number, from: number, bytes: number): Buffer {
  const left = fs.factsOfDescriptor(fd).bytes - from;
  return readBytes(fs, fd, Math.max(0, Math.min(bytes, left)), from);
}
