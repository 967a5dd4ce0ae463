/**
 * What a person who helps with an installation wants to know of it: sizes, counts, limits, versions.
 *
 * Guarantees: holds no record's text, no setting's value beyond the quota, no path and no name but
 * those of done files; changes nothing and makes no directory; a place that is not there is empty.
 */
import { join } from "node:path";
import type { StatusReport } from "../memory/memory.ts";
import type { DurableFs } from "../platform/durable-fs.ts";
import { isErrno } from "../platform/errno.ts";
import { isArchiveName } from "../queue/done-archive.ts";
import type { FoundLimits } from "./found-limits.ts";

export interface DoneFile {
  /** Without its directory. */
  readonly name: string;
  readonly bytes: number;
}

/** Shape of `memspool diag --json`. */
export interface Diagnosis {
  readonly spool: StatusReport["spool"];
  readonly largest_done: readonly DoneFile[];
  readonly done_files: number;
  readonly spool_bytes: StatusReport["spool_bytes"];
  readonly counts: {
    readonly pending: number;
    readonly spilled: number;
    readonly quarantined: number;
    readonly forgetting: number;
  };
  readonly state: StatusReport["state"];
  readonly pressure: StatusReport["pressure"];
  readonly store: Pick<StatusReport["store"], "kind" | "state" | "records" | "bytes">;
  /** What holds for a process like this one. */
  readonly limits: {
    /** Null where nothing limits it. */
    readonly memory_bytes: number | null;
    readonly memory_source: string | null;
    readonly rss_bytes: number;
    /** In CPUs; null without a quota. */
    readonly cpu_quota: number | null;
    readonly cpus: number;
  };
  /** Linux PSI, `some avg10`, 0–100. */
  readonly stalls: StatusReport["pressure"]["stalls"];
  readonly runtime: {
    readonly memspool: string;
    readonly node: string;
    readonly platform: string;
    readonly arch: string;
  };
}

export interface DiagnoseParts {
  readonly fs: Pick<DurableFs, "names" | "facts">;
  readonly doneDir: string;
  readonly found: () => Promise<FoundLimits>;
  readonly status: () => Promise<StatusReport>;
}

const LARGEST_COUNT = 5;

export async function diagnose(parts: DiagnoseParts): Promise<Diagnosis> {
  const [status, done, found] = await Promise.all([
    parts.status(),
    doneFiles(parts.fs, parts.doneDir),
    parts.found(),
  ]);
  const { queue, store } = status;
  const { kind, state, records, bytes } = store;
  return {
    spool: status.spool,
    largest_done: largest(done, LARGEST_COUNT),
    done_files: done.length,
    spool_bytes: status.spool_bytes,
    counts: {
      pending: queue.depth,
      spilled: queue.spilled,
      quarantined: queue.quarantined,
      forgetting: queue.forgetting,
    },
    state: status.state,
    pressure: status.pressure,
    store: { kind, state, records, bytes },
    limits: {
      memory_bytes: found.memory?.limitBytes ?? null,
      memory_source: found.memory?.source ?? null,
      rss_bytes: process.memoryUsage.rss(),
      cpu_quota: found.cpuQuota ?? null,
      cpus: found.cpus,
    },
    stalls: found.stalls,
    runtime: {
      memspool: status.version,
      node: process.version,
      platform: process.platform,
      arch: process.arch,
    },
  };
}

/** By size, and of equal ones the older first. */
export function largest(files: readonly DoneFile[], count: number): DoneFile[] {
  return [...files].sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1)).slice(0, count);
}

async function doneFiles(fs: DiagnoseParts["fs"], doneDir: string): Promise<DoneFile[]> {
  const files: DoneFile[] = [];
  for (const name of (await namesIn(fs, doneDir)).filter(isArchiveName)) {
    try {
      const { kind, bytes } = await fs.facts(join(doneDir, name));
      if (kind === "file") files.push({ name, bytes });
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error; // trimmed meanwhile
    }
  }
  return files;
}

async function namesIn(fs: DiagnoseParts["fs"], directory: string): Promise<string[]> {
  try {
    return await fs.names(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  }
}
