/** The git program on repositories of a test's own, untouched by whoever runs the test. */
import { execFileSync, spawnSync } from "node:child_process";
import type { TestContext } from "vitest";

/** Skips the test, with the reason printed, where there is no git. In CI it fails. */
export function needGit(context: TestContext): void {
  if (spawnSync("git", ["--version"]).status === 0) return;
  const reason = "git is not installed";
  if (process.env.CI === "true") throw new Error(reason);
  process.stderr.write(`skipped: ${context.task.name}: ${reason}\n`);
  context.skip(reason);
}

export function git(cwd: string, ...args: string[]): void {
  execFileSync("git", ["-c", "protocol.file.allow=always", ...args], {
    cwd,
    stdio: "pipe",
    env: {
      PATH: process.env.PATH,
      HOME: cwd,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "a",
      GIT_AUTHOR_EMAIL: "a@example.org",
      GIT_COMMITTER_NAME: "a",
      GIT_COMMITTER_EMAIL: "a@example.org",
    },
  });
}
