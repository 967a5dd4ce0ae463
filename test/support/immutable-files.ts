/** Files that nobody can write to, not even the super-user and not through an open descriptor. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { onTestFinished, type TestContext } from "vitest";

export interface ImmutableFiles {
  /** Makes them ordinary files again. */
  readonly release: () => void;
}

/**
 * Turns those of the files that are there read-only (chattr +i) until released, or the test's end.
 * Skips the test, with the reason printed, where this user or the file system can not.
 */
export function makeImmutable(context: TestContext, files: readonly string[]): ImmutableFiles {
  const there = files.filter((file) => existsSync(file));
  const changed = spawnSync("chattr", ["+i", ...there], { encoding: "utf8" });
  const release = () => {
    spawnSync("chattr", ["-i", ...there]);
  };
  onTestFinished(release);
  if (changed.status === 0) return { release };
  release();
  const reason = changed.error
    ? "chattr is not there"
    : `files can not be made immutable here: ${changed.stderr.split("\n")[0]}`;
  process.stderr.write(`skipped: ${context.task.name}: ${reason}\n`);
  return context.skip(reason);
}
