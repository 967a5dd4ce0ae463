/**
 * The reports in `crashes/`: written at once and durably, few, and rarely.
 *
 * Guarantees: a report is 0600 and fsynced before `write` returns its name, or the reason why there
 * is none; a part of one never stays where the disk lets us remove it. At most one a
 * REPORT_INTERVAL_MS, also across processes that crash in a loop, by the reports' own names;
 * at most REPORTS_MAX are kept, the newest. The directory is not followed if it is a symlink. Two
 * processes that crash in one millisecond may both write.
 */
import { join } from "node:path";
import {
  type DurableFsSync,
  factsIfThere,
  syncDirectorySync,
  unlinkIfThere,
  writeAllSync,
} from "../platform/durable-fs-sync.ts";
import { errnoOf } from "../platform/errno.ts";
import { makeDirectories } from "../platform/make-directories.ts";

const REPORT_INTERVAL_MS = 60_000;
const REPORTS_MAX = 10;
/** Time as the ISO form without its punctuation, so that names sort by it. */
const NAME = /^crash-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-\d{1,10}\.json$/;

export type ReportOutcome =
  | { readonly report: string }
  /** `recent`: one of the last minute is there; else what kept it from being written. */
  | { readonly report?: undefined; readonly why: string };

export class CrashFiles {
  readonly #fs: DurableFsSync;
  readonly #dir: string;

  constructor(fs: DurableFsSync, dir: string) {
    this.#fs = fs;
    this.#dir = dir;
  }

  /** Whether a report of the last minute is there. Throws system errors. */
  hasRecent(nowMs: number): boolean {
    // One that lies ahead was written by a clock that was wrong; it must not silence us for long.
    return this.#names().some((name) => Math.abs(nowMs - timeOf(name)) < REPORT_INTERVAL_MS);
  }

  /** Never throws. */
  write(nowMs: number, pid: number, content: () => Buffer): ReportOutcome {
    try {
      makeDirectories(this.#fs, this.#dir);
      if (factsIfThere(this.#fs, this.#dir)?.kind !== "directory") return { why: "ENOTDIR" };
      if (this.hasRecent(nowMs)) return { why: "recent" };
      const report = crashReportName(nowMs, pid);
      this.#writeWhole(join(this.#dir, report), content());
      this.#removeOldest(report);
      return { report };
    } catch (error) {
      return { why: errnoOf(error) ?? "unknown" };
    }
  }

  #writeWhole(path: string, bytes: Buffer): void {
    const fd = this.#fs.openExclusive(path);
    try {
      writeAllSync(this.#fs, fd, bytes);
      this.#fs.fsync(fd);
    } catch (error) {
      unlinkIfThere(this.#fs, path);
      throw error;
    } finally {
      this.#fs.close(fd);
    }
    syncDirectorySync(this.#fs, this.#dir);
  }

  /** What can not be removed stays: the report that was just written matters more. */
  #removeOldest(kept: string): void {
    const others = this.#names().filter((name) => name !== kept);
    for (const name of others.slice(0, 1 - REPORTS_MAX)) {
      try {
        unlinkIfThere(this.#fs, join(this.#dir, name));
      } catch (error) {
        if (errnoOf(error) === undefined) throw error;
      }
    }
  }

  /** Oldest first. */
  #names(): string[] {
    return this.#fs
      .names(this.#dir)
      .filter((name) => NAME.test(name))
      .sort();
  }
}

export function crashReportName(nowMs: number, pid: number): string {
  return `crash-${new Date(nowMs).toISOString().replaceAll(/[-:.]/g, "")}-${pid}.json`;
}

function timeOf(name: string): number {
  const [, year, month, day, hour, minute, second, ms] = NAME.exec(name) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
}
