/** What /proc and /sys hold, as a fixture in a fresh directory. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SystemRoots } from "../../src/pressure/cgroup-files.ts";
import { freshDirectory } from "./fresh-directory.ts";

/** @param files path below the fresh root, such as `proc/self/cgroup`, to its text */
export function systemFiles(files: Readonly<Record<string, string>>): SystemRoots & {
  readonly write: (path: string, text: string) => void;
} {
  const root = freshDirectory();
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  return { proc: join(root, "proc"), sys: join(root, "sys"), write };
}
