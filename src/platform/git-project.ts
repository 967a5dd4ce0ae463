/**
 * Which project a directory belongs to: the name of the git repository that owns it, found without
 * running git, by gitrepository-layout(5).
 *
 * Guarantees: every worktree of a repository has the name of the repository itself; a submodule is
 * a project of its own; the same answer from any directory below. Reads at most two small files a
 * level, and never fails: what can not be read is no repository.
 * Does not tell two repositories apart that have the same name: decision 20 says why.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

const LEVELS_MAX = 64;
const POINTER_BYTES_MAX = 4_096;
/** As the setting `project` allows. */
const NAME_BYTES_MAX = 1_024;

/**
 * @param directory absolute path
 * @returns the name, or "" outside of every repository
 */
export function gitProject(directory: string): string {
  const common = gitCommonDirectory(directory);
  return common === undefined ? "" : nameOf(common);
}

/** Absolute path of the directory that all worktrees share; undefined outside of a repository. */
export function gitCommonDirectory(directory: string): string | undefined {
  let at = resolve(directory);
  for (let level = 0; level < LEVELS_MAX; level++) {
    const git = gitDirectoryIn(at);
    if (git !== undefined) return commonOf(git);
    const parent = dirname(at);
    if (parent === at) return undefined;
    at = parent;
  }
  return undefined;
}

/** `.git` as a directory, `.git` as a file that points to one, or a repository without a worktree. */
function gitDirectoryIn(directory: string): string | undefined {
  const dotGit = join(directory, ".git");
  if (looksLikeGit(dotGit)) return dotGit;
  const pointer = /^gitdir: (.+)$/m.exec(smallText(dotGit) ?? "")?.[1]?.trim();
  if (pointer !== undefined) {
    const target = resolve(directory, pointer);
    // A worktree that was moved away leaves a pointer to nowhere.
    return kindOf(target) === "directory" ? target : undefined;
  }
  return looksLikeGit(directory) ? directory : undefined;
}

function looksLikeGit(path: string): boolean {
  return (
    kindOf(join(path, "HEAD")) !== undefined &&
    (kindOf(join(path, "objects")) === "directory" || kindOf(join(path, "commondir")) === "file")
  );
}

/** A worktree's own directory says where the shared one is. */
function commonOf(gitDirectory: string): string {
  const common = smallText(join(gitDirectory, "commondir"))?.trim();
  return common === undefined || common === "" ? gitDirectory : resolve(gitDirectory, common);
}

/** `/a/shop/.git` → `shop`, `/srv/shop.git` → `shop`, `/a/shop/.git/modules/lib` → `lib`. */
function nameOf(common: string): string {
  const last = basename(common);
  const name = last === ".git" ? basename(dirname(common)) : last.replace(/\.git$/, "");
  const allowed = name !== "*" && Buffer.byteLength(name, "utf8") <= NAME_BYTES_MAX;
  return allowed ? name : "";
}

function kindOf(path: string): "file" | "directory" | "other" | undefined {
  try {
    const facts = lstatSync(path);
    return facts.isDirectory() ? "directory" : facts.isFile() ? "file" : "other";
  } catch {
    return undefined; // ENOENT, ENOTDIR, EACCES alike: nothing that could name a project
  }
}

/** The start of a regular file, undefined if there is none that can be read. */
function smallText(path: string): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    if (!fstatSync(fd).isFile()) return undefined;
    const bytes = Buffer.alloc(POINTER_BYTES_MAX);
    return bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, 0));
  } catch {
    return undefined; // as above
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
