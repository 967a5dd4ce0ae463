/**
 * The done archive: every envelope that was once committed and is still kept.
 *
 * A file that ends in the middle of a batch may be written at this very moment: it is looked at again
 * later, and is told as torn only if nothing came to complete it. The writer died, then, and its
 * records stayed in the queue.
 */
import { join } from "node:path";
import { MemspoolError } from "../../errors.ts";
import { type DurableFsSync, factsIfThere } from "../../platform/durable-fs-sync.ts";
import { isErrno } from "../../platform/errno.ts";
import { readMembers } from "../../queue/archive-file.ts";
import {
  lineUlid,
  MEMBER_PREFIX_BYTES,
  MEMBER_SIGNATURE,
  memberBytesAt,
  type SkippedStretch,
} from "../../queue/archive-member.ts";
import { isArchiveName } from "../../queue/done-archive.ts";
import { decodeEnvelope } from "../../record/envelope.ts";
import type { Pass } from "./pass.ts";
import { ARCHIVED } from "./places.ts";

/** @returns names of files that end in an unfinished member */
export async function lookAtArchive(pass: Pass): Promise<string[]> {
  const { fs, layout } = pass.parts;
  const names = archiveNames(pass);
  const bytes = names.map((name) => factsIfThere(fs, join(layout.doneDir, name))?.bytes ?? 0);
  const total = bytes.reduce((sum, size) => sum + size, 0);
  const unfinished: string[] = [];
  let done = 0;
  for (const [n, name] of names.entries()) {
    const skipped: SkippedStretch[] = [];
    try {
      for (const { lines, offset } of membersOf(pass, name, skipped)) {
        for (const line of lines) lookAtLine(pass, line, name);
        await pass.pace.worked("archive", Math.min(done + offset, total), total);
      }
      if (judge(pass, name, skipped)) unfinished.push(name);
    } catch (error) {
      pass.unreadable(name, error);
    }
    done += bytes[n] as number;
  }
  pass.pace.finished("archive");
  return unfinished;
}

/** Takes in what came to the ends of these files meanwhile. */
export async function lookAtArchiveAgain(pass: Pass, names: readonly string[]): Promise<void> {
  for (const [n, name] of names.entries()) {
    const skipped: SkippedStretch[] = [];
    try {
      for (const { lines } of membersOf(pass, name, skipped)) {
        for (const line of lines) pass.mark(lineUlid(line) ?? "", ARCHIVED);
        await pass.pace.worked("second look", n, names.length);
      }
      const { fs, layout } = pass.parts;
      const path = join(layout.doneDir, name);
      const last = skipped.at(-1);
      if (last && isUnfinished(fs, path, last) === true)
        pass.findings.add("archive_torn", () => name);
    } catch (error) {
      pass.unreadable(name, error);
    }
  }
}

function archiveNames(pass: Pass): string[] {
  const { fs, layout } = pass.parts;
  try {
    return fs.names(layout.doneDir).filter(isArchiveName).sort();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** @throws the system error of the file; EINVAL for what is no file; one that is gone is empty */
function membersOf(pass: Pass, name: string, skipped: SkippedStretch[]) {
  const { fs, layout } = pass.parts;
  const path = join(layout.doneDir, name);
  const kind = factsIfThere(fs, path)?.kind ?? "file";
  if (kind !== "file") throw Object.assign(new Error(`EINVAL: a ${kind}`), { code: "EINVAL" });
  return readMembers(fs, path, { onSkipped: (stretch) => skipped.push(stretch) });
}

/** @returns whether the file ends in an unfinished member */
function judge(pass: Pass, name: string, skipped: readonly SkippedStretch[]): boolean {
  const { fs, layout } = pass.parts;
  const last = skipped.at(-1);
  const unfinished = last !== undefined && isUnfinished(fs, join(layout.doneDir, name), last);
  if (unfinished === "gone") return false;
  for (const stretch of unfinished ? skipped.slice(0, -1) : skipped) {
    pass.findings.add("archive_damaged", () => `${name} at ${stretch.offset}`);
  }
  return unfinished;
}

/**
 * The stretch begins as a member does, and the file ended before the member. "gone" if the file was
 * trimmed since it was read: nothing of it is left to judge.
 */
function isUnfinished(
  fs: DurableFsSync,
  path: string,
  { offset, bytes }: SkippedStretch,
): boolean | "gone" {
  const header = Buffer.alloc(MEMBER_PREFIX_BYTES);
  let fd: number;
  try {
    fd = fs.openRead(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "gone";
    throw error;
  }
  try {
    const read = fs.readAt(fd, header, offset);
    const length = Math.min(read, bytes, MEMBER_SIGNATURE.length);
    if (!header.subarray(0, length).equals(MEMBER_SIGNATURE.subarray(0, length))) return false;
    return bytes < MEMBER_PREFIX_BYTES || (memberBytesAt(header, 0) ?? 0) > bytes;
  } finally {
    fs.close(fd);
  }
}

function lookAtLine(pass: Pass, line: Buffer, name: string): void {
  const ulid = lineUlid(line);
  pass.count("archive_records");
  if (ulid !== undefined) pass.mark(ulid, ARCHIVED);
  if (ulid !== undefined && !pass.hashes) return;
  try {
    decodeEnvelope(line, ulid ?? "");
  } catch (error) {
    if (!(error instanceof MemspoolError)) throw error;
    pass.findings.add("archive_damaged", () => ulid ?? name);
  }
}
