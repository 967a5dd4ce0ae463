/** What `install` and completion need is loaded by them alone: no server's start pays for it. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";

const DIST = "dist";

/** Sources of a built file and of all that it imports before it runs. */
function sourcesOf(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const text = readFileSync(join(DIST, file), "utf8");
  const { sources } = JSON.parse(readFileSync(join(DIST, `${file}.map`), "utf8")) as {
    sources: string[];
  };
  const imported = [...text.matchAll(/(?:^import|\bfrom) "\.\/([^"]+\.mjs)"/gm)];
  return [...sources, ...imported.flatMap(([, name]) => sourcesOf(name as string, seen))];
}

/** The file that a dynamic import of this source leads to. */
function chunkOf(source: string): string {
  const program = readFileSync(join(DIST, "program.mjs"), "utf8");
  const name = basename(source, ".ts");
  const found = new RegExp(`import\\("\\./(chunk-${name}-[^"]+\\.mjs)"\\)`).exec(program)?.[1];
  if (found === undefined) throw new TypeError(`${source} is no chunk of its own`);
  return found;
}

const LATE =
  /node_modules\/(?:jsonc-parser|smol-toml|diff)\/|src\/cli\/install\/(?!client-ids|client\.ts|show-changes|unified-diff)|src\/cli\/complete-words/;

/** What searching needs: word forms, stop words, dates. */
const LANGUAGES = /node_modules\/(?:@orama\/stemmers|stopword|chrono-node)\/|src\/text\/languages/;

it("I2: a server's start loads no language, and a hook none either", () => {
  const server = [...sourcesOf("program.mjs"), ...sourcesOf(chunkOf("src/app.ts"))];
  expect(server.filter((path) => LANGUAGES.test(path))).toEqual([]);
  const { sources } = JSON.parse(readFileSync(join(DIST, "hook.js.map"), "utf8"));
  expect(sources.length).toBeGreaterThan(20);
  expect(sources.filter((path: string) => LANGUAGES.test(path))).toEqual([]);
});

it("C2: neither a server's start nor another command loads the parsers", () => {
  const server = [...sourcesOf("program.mjs"), ...sourcesOf(chunkOf("src/app.ts"))];
  const commands = sourcesOf(chunkOf("src/cli/command-line.ts"));
  expect(server.length).toBeGreaterThan(50);
  expect(commands.some((path) => path.endsWith("src/cli/install.ts"))).toBe(true);
  expect([...server, ...commands].filter((path) => LATE.test(path))).toEqual([]);
});
