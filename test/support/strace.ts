/** Programs run under strace, and what they did, call by call. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { TestContext } from "vitest";

let reason: string | undefined | null = null;

function whyNot(): string | undefined {
  const tried = spawnSync("strace", ["-f", "-o", "/dev/null", "true"], { encoding: "utf8" });
  if (tried.status === 0) return undefined;
  return tried.error ? "strace is not installed" : "strace may not trace here (no ptrace)";
}

/** Skips the test, with the reason printed, where strace can not run. Missing in CI, it fails. */
export function needStrace(context: TestContext): void {
  if (reason === null) reason = whyNot();
  if (reason === undefined) return;
  if (process.env.CI === "true" && reason.includes("installed")) throw new Error(reason);
  process.stderr.write(`skipped: ${context.task.name}: ${reason}\n`);
  context.skip(reason);
}

export interface SystemCall {
  readonly name: string;
  /** The whole line, descriptors with their paths. */
  readonly text: string;
  /** Lines of the trace: other threads' calls lie between them. */
  readonly beganAt: number;
  readonly endedAt: number;
}

export interface Traced {
  /** strace itself, whose standard streams are the program's. */
  readonly child: ChildProcess;
  /** In the order in which they began. */
  readonly calls: () => SystemCall[];
}

/**
 * @param options strace's own, such as `-e inject=…`
 * @param output path of the trace
 */
export function traceNode(
  calls: readonly string[],
  argv: readonly string[],
  output: string,
  extra: { options?: readonly string[]; env?: Record<string, string> } = {},
): Traced {
  const child = spawn(
    "strace",
    ["-f", "-qq", "-y", "-s", "256", "-o", output, "-e", `trace=${calls.join(",")}`]
      .concat(extra.options ?? [])
      .concat(process.execPath, argv),
    {
      stdio: ["pipe", "pipe", "inherit"],
      // io_uring would hide file calls from the trace.
      env: { PATH: process.env.PATH, UV_USE_IO_URING: "0", ...extra.env },
    },
  );
  child.stdin?.on("error", () => {}); // a program that was killed reads no further
  return { child, calls: () => parse(readFileSync(output, "utf8")) };
}

function parse(trace: string): SystemCall[] {
  const calls: SystemCall[] = [];
  /** Index in `calls` of what a thread has begun and not ended. */
  const unfinished = new Map<string, number>();
  for (const [at, text] of trace.split("\n").entries()) {
    const [, thread = "", name] = /^(\d+)\s+(?:<\.\.\. )?([a-z0-9_]+)[ (]/.exec(text) ?? [];
    if (name === undefined) continue;
    const begun = unfinished.get(thread);
    if (text.includes("<... ") && begun !== undefined) {
      calls[begun] = { ...(calls[begun] as SystemCall), endedAt: at };
      unfinished.delete(thread);
      continue;
    }
    const open = text.includes("<unfinished ...>");
    if (open) unfinished.set(thread, calls.length);
    calls.push({ name, text, beganAt: at, endedAt: open ? Number.POSITIVE_INFINITY : at });
  }
  return calls;
}
