/**
 * Does what a capture does, without a record: a file is opened exclusively, written, fsynced,
 * measured, read back and removed, and its directory fsynced.
 *
 * Guarantees: the file is removed again, also when a step fails. It is named like the queue's own
 * temp files, so that one left by a kill is never read and goes with the next sweep.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, open, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { HealthCheck } from "../memory/memory.ts";
import { type DirectorySyncStep, lacksDirectoryFsync } from "../platform/directory-fsync.ts";
import { degraded, errnoText, failing, ok } from "./check-result.ts";

export interface WriteProbeInput {
  readonly queueDir: string;
  /** A seam: tests make a call fail. */
  readonly open?: typeof open;
}

const PROBE_BYTES = 4_096;
/** The id part of the probe's name; no record has the id zero. */
const PROBE_ID = "0".repeat(26);

export async function checkWrite(input: WriteProbeInput): Promise<HealthCheck> {
  const name = "write and fsync";
  const existing = await nearestExisting(input.queueDir);
  try {
    if (existing !== input.queueDir) {
      await access(existing, constants.W_OK | constants.X_OK);
      return ok(name, "no queue directory yet; it can be made where it belongs");
    }
    const { ms, directoryErrno } = await probe(input.queueDir, input.open ?? open);
    const detail = `${PROBE_BYTES} bytes durable in ${ms.toFixed(1)} ms`;
    if (directoryErrno === undefined) return ok(name, detail);
    return degraded(
      name,
      `${detail}, but a directory can not be fsynced here (${directoryErrno})`,
      "A power cut can take the names of the last captures: point MEMSPOOL_HOME at a local disk.",
    );
  } catch (error) {
    const why = error instanceof ProbeMismatch ? error.message : errnoText(error);
    return failing(
      name,
      `a file in the queue directory can not be made durable (${why})`,
      adviceFor(why),
    );
  }
}

class ProbeMismatch extends Error {}

interface Probed {
  readonly ms: number;
  /** What the system says where it has no fsync for directories. */
  readonly directoryErrno: string | undefined;
}

async function probe(directory: string, openFile: typeof open): Promise<Probed> {
  const path = join(directory, `.tmp-${PROBE_ID}-${randomBytes(6).toString("hex")}`);
  const bytes = randomBytes(PROBE_BYTES);
  const startedMs = performance.now();
  const file = await openFile(path, "wx+", 0o600);
  try {
    try {
      const { bytesWritten } = await file.write(bytes, 0, PROBE_BYTES, 0);
      await file.sync();
      const { size } = await file.stat();
      if (bytesWritten !== PROBE_BYTES || size !== PROBE_BYTES) {
        throw new ProbeMismatch(`short write: ${size} of ${PROBE_BYTES} bytes`);
      }
      const back = Buffer.alloc(PROBE_BYTES);
      await file.read(back, 0, PROBE_BYTES, 0);
      if (!back.equals(bytes)) throw new ProbeMismatch("other bytes came back");
    } finally {
      await file.close();
    }
  } finally {
    await unlink(path);
  }
  const directoryErrno = await syncDirectory(directory, openFile);
  return { ms: performance.now() - startedMs, directoryErrno };
}

/** As a capture does: undefined if it is done, the errno where there is no such call. */
async function syncDirectory(
  directory: string,
  openFile: typeof open,
): Promise<string | undefined> {
  let step: DirectorySyncStep = "open";
  try {
    const parent = await openFile(directory, constants.O_RDONLY);
    step = "fsync";
    try {
      await parent.sync();
    } finally {
      await parent.close();
    }
    return undefined;
  } catch (error) {
    if (!lacksDirectoryFsync(error, step)) throw error;
    return errnoText(error);
  }
}

/** The path itself, or the first directory above it that is there. */
async function nearestExisting(path: string): Promise<string> {
  let at = path;
  // Every step is shorter, and the root is there.
  while (!(await isThere(at)) && dirname(at) !== at) at = dirname(at);
  return at;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

function adviceFor(why: string): string {
  if (why === "ENOSPC" || why === "EDQUOT" || why.startsWith("short write")) {
    return "Free space or inodes on this file system, or raise the quota.";
  }
  if (why === "EACCES" || why === "EPERM")
    return "Give the user that runs memspool this directory.";
  if (why === "EROFS") return "Mount the file system writable, or point MEMSPOOL_HOME elsewhere.";
  if (why === "EIO") return "The disk reports errors: save the data directory elsewhere now.";
  return "Look at the file system, or point MEMSPOOL_HOME elsewhere.";
}
