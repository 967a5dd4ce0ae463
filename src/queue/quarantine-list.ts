/**
 * What lies in quarantine and why: envelopes, and damaged segments of spilled records. Reads names,
 * sizes and reason files; no record.
 */
import { join } from "node:path";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import { type QueueLayout, quarantinedUlid } from "./layout.ts";
import { reasonPath } from "./quarantine.ts";
import { decodeReason, type ReasonFile } from "./reason-file.ts";
import { parseSegmentName } from "./spill-segment.ts";

export interface QuarantineEntry {
  /** Of a segment: the first id that its name promises. */
  readonly ulid: string;
  /** File name inside the quarantine. */
  readonly file: string;
  readonly bytes: number;
  /** An error code, or "UNKNOWN" when the reason file is missing or damaged. */
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  /** ISO 8601. */
  readonly quarantinedAt: string;
}

/** File names of damaged segments and then of envelopes, each oldest id first. */
export async function quarantineNames(fs: DurableFs, layout: QueueLayout): Promise<string[]> {
  try {
    const names = await fs.names(layout.quarantineDir);
    return names.filter((name) => firstUlid(name) !== undefined).sort();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // no queue yet
    throw error;
  }
}

/** undefined if the file has left the quarantine meanwhile. */
export async function quarantineEntry(
  fs: DurableFs,
  layout: QueueLayout,
  file: string,
): Promise<QuarantineEntry | undefined> {
  const ulid = firstUlid(file);
  if (ulid === undefined) return undefined;
  const path = join(layout.quarantineDir, file);
  try {
    const { bytes, mtimeMs } = await fs.facts(path);
    const reason = await readReason(fs, reasonPath(path));
    return {
      ulid,
      file,
      bytes,
      code: reason?.code ?? "UNKNOWN",
      message: reason?.message ?? "The reason file is missing or damaged.",
      attempts: reason?.attempts ?? 0,
      quarantinedAt: reason?.quarantined_at ?? new Date(mtimeMs).toISOString(),
    };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function firstUlid(file: string): string | undefined {
  return quarantinedUlid(file) ?? parseSegmentName(file)?.first;
}

async function readReason(fs: DurableFs, path: string): Promise<ReasonFile | undefined> {
  try {
    return decodeReason(await fs.read(path));
  } catch {
    return undefined; // missing or not readable: the envelope itself is what counts
  }
}
