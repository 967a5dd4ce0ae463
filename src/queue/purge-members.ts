/**
 * Takes records out of files that hold others: done archive files, spilled and quarantined segments.
 *
 * Guarantees: what is not to go is kept byte for byte, in its order; a stretch that is no member is
 * kept unless one of the records can be read in it, as far as it can be unpacked at all. Memory stays
 * bounded by the largest member or damaged stretch.
 */
import { constants, inflateRawSync } from "node:zlib";
import { type DurableFsSync, readBytes, writeAllSync } from "../platform/durable-fs-sync.ts";
import { readMembers } from "./archive-file.ts";
import {
  type ArchiveMember,
  encodeMember,
  lineUlid,
  MEMBER_PREFIX_BYTES,
  MEMBER_SIGNATURE,
  memberBytesAt,
  type SkippedStretch,
} from "./archive-member.ts";

export type Wanted = ReadonlySet<string>;

/** Whether any of the records lies in the file, whole or in damage. @throws as readMembers */
export function holdsAny(fs: DurableFsSync, path: string, ulids: Wanted): boolean {
  const skipped: SkippedStretch[] = [];
  for (const { lines } of readMembers(fs, path, {
    onSkipped: (stretch) => skipped.push(stretch),
  })) {
    if (lines.some((line) => isWanted(line, ulids))) return true;
  }
  if (skipped.length === 0) return false;
  const fd = fs.openRead(path);
  try {
    return skipped.some((stretch) => stretchHoldsAny(bytesOf(fs, fd, stretch), ulids));
  } finally {
    fs.close(fd);
  }
}

export interface CopyWithout {
  /** Bytes of the old file that were looked at. */
  readonly readBytes: number;
  readonly written: number;
}

/**
 * Copies a file's members into an open one, from a position on, without the records.
 * @param from an open descriptor of the same file, for what is copied as it is
 */
export function copyWithout(
  fs: DurableFsSync,
  source: { readonly path: string; readonly fd: number },
  target: number,
  ulids: Wanted,
): CopyWithout {
  let written = 0;
  const write = (bytes: Buffer) => {
    writeAllSync(fs, target, bytes);
    written += bytes.length;
  };
  const end = fs.factsOfDescriptor(source.fd).bytes;
  const onSkipped = (stretch: SkippedStretch) => {
    const bytes = bytesOf(fs, source.fd, stretch);
    if (!stretchHoldsAny(bytes, ulids)) write(bytes);
  };
  for (const member of readMembers(fs, source.path, { onSkipped })) {
    if (member.lines.some((line) => isWanted(line, ulids))) {
      const kept = member.lines.filter((line) => !isWanted(line, ulids));
      if (kept.length > 0) write(encodeMember(kept));
    } else write(rawMember(fs, source.fd, member));
  }
  return { readBytes: end, written };
}

export function isWanted(line: Buffer, ulids: Wanted): boolean {
  const ulid = lineUlid(line);
  return ulid !== undefined && ulids.has(ulid);
}

/** Whether what can be unpacked of torn members, or lies there plainly, names one of the records. */
export function stretchHoldsAny(stretch: Buffer, ulids: Wanted): boolean {
  for (let at = 0; at < stretch.length; ) {
    const next = stretch.indexOf(MEMBER_SIGNATURE, at + 1);
    const end = next === -1 ? stretch.length : next;
    if (namesAny(unpacked(stretch.subarray(at, end)), ulids)) return true;
    at = end;
  }
  return namesAny(stretch, ulids);
}

function namesAny(text: Buffer, ulids: Wanted): boolean {
  for (const [, ulid] of text.toString("latin1").matchAll(LINE_BEGIN)) {
    if (ulids.has(ulid as string)) return true;
  }
  return false;
}

const LINE_BEGIN = /\{"ulid":"([0-7][0-9A-HJKMNP-TV-Z]{25})"/g;
/** Halvings until the longest stretch that can be unpacked is known well enough. */
const HALVINGS_MAX = 24;

/** As much of a torn member as unpacks; zlib gives nothing of what is damaged further behind. */
function unpacked(member: Buffer): Buffer {
  if (!member.subarray(0, MEMBER_SIGNATURE.length).equals(MEMBER_SIGNATURE)) return Buffer.alloc(0);
  const data = member.subarray(MEMBER_PREFIX_BYTES);
  let best = unpack(data);
  let [good, bad] = [0, data.length];
  for (let n = 0; best === undefined && n < HALVINGS_MAX && bad - good > 1; n++) {
    const middle = good + Math.floor((bad - good) / 2);
    const text = unpack(data.subarray(0, middle));
    if (text === undefined) bad = middle;
    else good = middle;
  }
  best ??= unpack(data.subarray(0, good));
  return best ?? Buffer.alloc(0);
}

function unpack(data: Buffer): Buffer | undefined {
  try {
    return inflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return undefined; // damaged before its end
  }
}

function rawMember(fs: DurableFsSync, fd: number, { offset }: ArchiveMember): Buffer {
  const header = readBytes(fs, fd, MEMBER_PREFIX_BYTES, offset);
  const bytes = memberBytesAt(header, 0);
  if (bytes === undefined) throw Object.assign(new Error("EIO: a member changed"), { code: "EIO" });
  return readBytes(fs, fd, bytes, offset);
}

function bytesOf(fs: DurableFsSync, fd: number, { offset, bytes }: SkippedStretch): Buffer {
  return readBytes(fs, fd, bytes, offset);
}
