/** A real cgroup with a memory limit, for one test: v1, or v2 where this user may make one. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";

export interface MemoryCgroup {
  readonly kind: "cgroup v1" | "cgroup v2";
  /** Runs the program that it is given inside: a command for `ServerProcess.start`. */
  readonly under: readonly string[];
  /** In bytes; the kernel rounds it down to pages. */
  readonly limitTo: (bytes: number) => void;
}

const KINDS = [
  { kind: "cgroup v1", mount: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes" },
  { kind: "cgroup v2", mount: "/sys/fs/cgroup", limit: "memory.max" },
] as const;

let made = 0;

/** Removed when the test ends. Skips the test, with the reason printed, where none can be made. */
export function memoryCgroup(context: TestContext, limitBytes: number): MemoryCgroup {
  const reasons: string[] = [];
  for (const { kind, mount, limit } of KINDS) {
    const directory = join(mount, `memspool-test-${process.pid}-${++made}`);
    try {
      mkdirSync(directory);
      onTestFinished(() => removeCgroup(directory));
      if (!existsSync(join(directory, limit))) throw new Error("no memory controller");
      const limitTo = (bytes: number) => writeFileSync(join(directory, limit), String(bytes));
      limitTo(limitBytes);
      const enter = `echo $$ > ${join(directory, "cgroup.procs")} && exec "$@"`;
      return { kind, under: ["/bin/sh", "-c", enter, "sh"], limitTo };
    } catch (error) {
      reasons.push(`${kind}: ${(error as Error).message}`);
    }
  }
  const reason = `no cgroup can be limited here: ${reasons.join("; ")}`;
  process.stderr.write(`skipped: ${context.task.name}: ${reason}\n`);
  return context.skip(reason);
}

/** Whoever is still inside goes back to the cgroup above: the kernel removes no other. */
function removeCgroup(directory: string): void {
  const procs = join(directory, "cgroup.procs");
  for (const pid of readFileSync(procs, "utf8").split("\n").filter(Boolean)) {
    try {
      writeFileSync(join(directory, "..", "cgroup.procs"), pid);
    } catch {
      // It has ended since.
    }
  }
  rmdirSync(directory);
}
