/** Done files as they are some hours later: real ones, under the names of an earlier hour. */
import { readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

const HOUR_MS = 3_600_000;

export interface DoneFile {
  readonly name: string;
  readonly bytes: number;
}

export const doneDirOf = (home: string) => join(home, "queue", "done");

/** By name, so the oldest hour first. */
export function doneFiles(home: string): DoneFile[] {
  const directory = doneDirOf(home);
  return readdirSync(directory)
    .filter((name) => /^\d{8}-\d{2}-.*\.ndjson\.gz$/.test(name))
    .sort()
    .map((name) => ({ name, bytes: statSync(join(directory, name)).size }));
}

/** Gives the files of the current hour the name that they would have, had they been begun earlier. */
export function ageDoneFiles(home: string, hours: number): void {
  const now = utcHour(Date.now());
  const earlier = utcHour(Date.now() - hours * HOUR_MS);
  for (const { name } of doneFiles(home)) {
    if (!name.startsWith(now)) continue;
    const path = (hour: string) => join(doneDirOf(home), name.replace(now, hour));
    renameSync(path(now), path(earlier));
  }
}

/** `YYYYMMDD-HH`. */
function utcHour(timeMs: number): string {
  const text = new Date(timeMs).toISOString();
  return `${text.slice(0, 10).replaceAll("-", "")}-${text.slice(11, 13)}`;
}
