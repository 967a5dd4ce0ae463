/**
 * Where this process runs, also when that directory was removed.
 *
 * Guarantees: an absolute path, never an error. Not that anything is there: a worktree may be removed
 * while an assistant's session in it goes on, and what is said in it is still to be captured.
 */
import { isAbsolute } from "node:path";

/** @returns the directory; if it is gone, where the shell says that it was; else the root */
export function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    const { PWD = "" } = process.env;
    return isAbsolute(PWD) ? PWD : "/";
  }
}
