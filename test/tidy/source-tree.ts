/**
 * Reads the project's own files for the tidy tests: paths relative to the root, with `/`, and their
 * text. Guarantees a stable order. Does not follow symbolic links and reads nothing outside the root.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Path from the project's root → text. */
export type FileSet = ReadonlyMap<string, string>;

export const PROJECT_ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** All files below `folder` whose name ends in one of the endings. */
export function readTree(folder: string, ...endings: string[]): FileSet {
  const files = new Map<string, string>();
  const absolute = join(PROJECT_ROOT, folder);
  if (!existsSync(absolute)) return files;
  for (const path of listFiles(absolute, folder)) {
    if (endings.some((ending) => path.endsWith(ending))) files.set(path, readText(path));
  }
  return files;
}

export function readText(path: string): string {
  return readFileSync(join(PROJECT_ROOT, path), "utf8");
}

export function exists(path: string): boolean {
  return existsSync(join(PROJECT_ROOT, path));
}

/** What git tracks and what it would track next; outside a checkout, every file but build output. */
export function listProjectFiles(): string[] {
  try {
    const listed = execFileSync(
      "git",
      ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
      { cwd: PROJECT_ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
    );
    const paths = listed.split("\0").filter((path) => path !== "" && exists(path));
    return paths.filter((path) => statSync(join(PROJECT_ROOT, path)).isFile()).sort();
  } catch {
    // A source archive has no .git; the same rules then hold for whatever it unpacked to.
    return listFiles(PROJECT_ROOT, "");
  }
}

const NOT_SOURCE = new Set(["node_modules", "dist", "coverage", ".git"]);

function listFiles(absolute: string, relative: string): string[] {
  const found: string[] = [];
  const entries = readdirSync(absolute, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (NOT_SOURCE.has(entry.name)) continue;
    const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
    if (entry.isDirectory()) found.push(...listFiles(join(absolute, entry.name), path));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}
