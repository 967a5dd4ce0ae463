/**
 * Where hooks keep what they must know of one another: `hooks/` below the data directory. Nothing in
 * it holds a word that was said, and all of it may be removed: then counts begin anew.
 *
 * Guarantees: made 0700 when first needed, and a symlink in its place is refused.
 */
import { lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { MemspoolError } from "../errors.ts";

export interface HooksDirectory {
  readonly dir: string;
  /** A directory for each session, a mark for each turn. */
  readonly turnsDir: string;
  readonly failuresFile: string;
  readonly olderFailuresFile: string;
  /** One byte for each: nothing is counted by reading and writing back, so no lock is needed. */
  readonly counts: Readonly<Record<HookCount, string>>;
}

export type HookCount = "captured" | "ignored" | "failed";

/** @param home absolute path of the data directory */
export function hooksDirectory(home: string): HooksDirectory {
  const dir = join(home, "hooks");
  return {
    dir,
    turnsDir: join(dir, "turns"),
    failuresFile: join(dir, "failures.ndjson"),
    olderFailuresFile: join(dir, "failures.1.ndjson"),
    counts: {
      captured: join(dir, "captured.count"),
      ignored: join(dir, "ignored.count"),
      failed: join(dir, "failed.count"),
    },
  };
}

/** @throws MemspoolError UNSAFE_PATH for a symlink; system errors */
export function makeHooksDirectory(paths: HooksDirectory): void {
  mkdirSync(paths.dir, { recursive: true, mode: 0o700 });
  if (!lstatSync(paths.dir).isDirectory()) {
    throw new MemspoolError(
      "UNSAFE_PATH",
      `${paths.dir} is a symbolic link, which memspool does not follow. Remove it.`,
      { details: { path: paths.dir } },
    );
  }
}
