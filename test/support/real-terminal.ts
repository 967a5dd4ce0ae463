/** The built program on a pseudo-terminal of its own, by script(1) of util-linux. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";
import { BUILT_ENTRY } from "./built-program.ts";
import { freshDirectory } from "./fresh-directory.ts";

export interface OnTerminal {
  /** Resolves when the text has been written to the terminal; rejects when it ends before. */
  shows(text: string): Promise<void>;
  type(keys: string): void;
  /** Of memspool itself. */
  readonly pid: () => number;
  /** Exit code as a shell has it, and all that was written. */
  readonly ended: Promise<{ exitCode: number | null; written: string }>;
}

/** Skips, with the reason printed, where there is no script(1); fails in CI. */
export function needScript(context: TestContext): void {
  const { stdout, error } = spawnSync("script", ["--version"], { encoding: "utf8" });
  if (error === undefined && stdout.includes("util-linux")) return;
  const reason = "script(1) of util-linux is not installed";
  if (process.env.CI === "true") throw new Error(reason);
  process.stderr.write(`skipped: ${context.task.name}: ${reason}\n`);
  context.skip(reason);
}

export function onTerminal(argv: readonly string[], home: string, size: string): OnTerminal {
  const pidFile = join(freshDirectory(), "pid");
  const quoted = [process.execPath, BUILT_ENTRY, ...argv].map((word) => `'${word}'`).join(" ");
  const command = `stty ${size}; echo $$ > '${pidFile}'; exec ${quoted}`;
  const child: ChildProcess = spawn("script", ["-qefc", command, "/dev/null"], {
    env: { PATH: process.env.PATH, TERM: "xterm-256color", SHELL: "/bin/sh", MEMSPOOL_HOME: home },
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let written = "";
  const waiting: { text: string; resolve: () => void; reject: (error: Error) => void }[] = [];
  child.stdout?.on("data", (chunk: Buffer) => {
    written += chunk.toString("utf8");
    for (const each of waiting) if (written.includes(each.text)) each.resolve();
  });
  const ended = new Promise<{ exitCode: number | null; written: string }>((resolve) => {
    child.on("close", (exitCode) => {
      for (const { text, reject } of waiting)
        reject(new Error(`ended without ${text}: ${written}`));
      resolve({ exitCode, written });
    });
  });
  return {
    shows: (text) =>
      new Promise((resolve, reject) => {
        waiting.push({ text, resolve, reject });
        if (written.includes(text)) resolve();
      }),
    type: (keys) => void child.stdin?.write(keys),
    pid: () => Number(readFileSync(pidFile, "utf8")),
    ended,
  };
}
