/** The checkout works anywhere: no private registry, no path of the machine it was written on. */
import { expect, it } from "vitest";
import { listProjectFiles, readText } from "./source-tree.ts";

/** Packages of a lock file that would be fetched from elsewhere than the public registry. */
function foreignSources(lock: string): string[] {
  const { packages } = JSON.parse(lock) as { packages: Record<string, { resolved?: string }> };
  return Object.entries(packages).flatMap(([name, { resolved }]) =>
    resolved === undefined || resolved.startsWith("https://registry.npmjs.org/") ? [] : [name],
  );
}

// Put together here, so that this file does not hold what it looks for.
const MACHINE_PATHS = new RegExp(
  `(?<![\\w~.$}/-])/(?:${["work/main", "work/shared", "root", "tmp/brief", "tmp/bash_jobs"].join("|")})(?![\\w-])`,
);

/** Lines of a file that name an absolute path of somebody's machine. */
function machinePaths(path: string, text: string): string[] {
  return text
    .split("\n")
    .flatMap((line, index) => (MACHINE_PATHS.test(line) ? [`${path}:${index + 1}`] : []));
}

it("every package comes from the public registry", () => {
  expect(foreignSources(readText("package-lock.json"))).toEqual([]);
});

it("no file names a path of one machine", () => {
  const paths = listProjectFiles();
  expect(paths).toContain("package.json");
  expect(paths.flatMap((path) => machinePaths(path, readText(path)))).toEqual([]);
});

it("sees a private registry", () => {
  const lock = (resolved: string) =>
    JSON.stringify({ packages: { "node_modules/a": { resolved } } });
  expect(foreignSources(lock("https://npm.example.test/a-1.0.0.tgz"))).toEqual(["node_modules/a"]);
  expect(foreignSources(lock("https://registry.npmjs.org/a/-/a-1.0.0.tgz"))).toEqual([]);
});

it("sees a machine's path and lets similar words be", () => {
  const [, home] = ["", "root"];
  expect(machinePaths("a.md", `one\nsee /${home}/main/x`)).toEqual(["a.md:2"]);
  expect(machinePaths("a.md", `"/${home}"`)).toEqual(["a.md:1"]);
  expect(machinePaths("a.md", `frame/${home}/x ~/${home}/x https://a.test/${home}/`)).toEqual([]);
  expect(machinePaths("a.md", `/${home}s/x`)).toEqual([]);
});
