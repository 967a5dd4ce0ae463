/** The built program as a process of its own, with its own data directory and a bare environment. */
import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";

export const BUILT_ENTRY = resolve("dist/main.js");

export interface BuiltRun {
  readonly home: string;
  readonly stdin?: string | Uint8Array;
  readonly env?: Record<string, string>;
  /** Octal mask that the process starts with. */
  readonly umask?: number;
}

export interface BuiltResult {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export function spawnBuilt(argv: readonly string[], { home, env, umask }: BuiltRun): ChildProcess {
  const before = umask === undefined ? undefined : process.umask(umask);
  try {
    return spawn(process.execPath, [BUILT_ENTRY, ...argv], {
      env: { PATH: process.env.PATH, MEMSPOOL_HOME: home, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
  } finally {
    if (before !== undefined) process.umask(before);
  }
}

export async function runBuilt(argv: readonly string[], options: BuiltRun): Promise<BuiltResult> {
  const child = spawnBuilt(argv, options);
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  // A program that does not read its input may leave while we write it.
  child.stdin?.on("error", () => {});
  child.stdin?.end(options.stdin ?? "");
  const exitCode = await new Promise<number | null>((done) => child.on("close", done));
  return { exitCode, stdout: Buffer.concat(stdout), stderr };
}
