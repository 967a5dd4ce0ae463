/**
 * Builds a TypeScript entry so that a child process or a worker can run it, without the package's
 * own build. The bundle lies inside node_modules, from where it finds the native SQLite package.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { onTestFinished } from "vitest";

const ROOT = new URL("../..", import.meta.url).pathname;
const CACHE = join(ROOT, "node_modules", ".cache");

/** @param entry from the root; returns the absolute path of the built module */
export async function bundled(entry: string): Promise<string> {
  mkdirSync(CACHE, { recursive: true });
  const dir = mkdtempSync(join(CACHE, "memspool-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  await build({
    absWorkingDir: ROOT,
    entryPoints: { entry },
    outdir: dir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    splitting: true,
    target: "node20.19",
    logLevel: "silent",
    external: ["@photostructure/sqlite"],
    banner: {
      js: [
        'import { createRequire as memspoolRequire } from "node:module";',
        "const require = memspoolRequire(import.meta.url);",
        "const __filename = import.meta.filename;",
      ].join(" "),
    },
  });
  return join(dir, "entry.mjs");
}
