// Loads parts of src that the package does not export, bundled on the fly as the build does it, so
// that the bench measures the same code. The bundle lies in a directory of the bench's own.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * @param dir where the bundle may lie until the end of the run
 * @param exports source path from the root → names to take from it
 * @returns an object with all of those names
 */
export async function loadSource(dir, exports) {
  const outDir = join(dir, "bundle");
  mkdirSync(outDir);
  // Packages that stay outside the bundle are found from there as from the project.
  symlinkSync(join(ROOT, "node_modules"), join(outDir, "node_modules"));
  writeFileSync(join(outDir, "package.json"), '{ "type": "module" }\n');
  const lines = Object.entries(exports).map(
    ([path, names]) => `export { ${names.join(", ")} } from ${JSON.stringify(`./${path}`)};`,
  );
  const outfile = join(outDir, "source.js");
  await build({
    stdin: {
      contents: lines.join("\n"),
      resolveDir: ROOT,
      sourcefile: "bench-entry.ts",
      loader: "ts",
    },
    absWorkingDir: ROOT,
    outfile,
    bundle: true,
    platform: "node",
    target: "node20.19",
    format: "esm",
    logLevel: "warning",
    define: { MEMSPOOL_VERSION: '"bench"' },
    external: ["@photostructure/sqlite"],
    banner: {
      js: [
        'import { createRequire as benchRequire } from "node:module";',
        "const require = benchRequire(import.meta.url);",
        "const __filename = import.meta.filename;",
      ].join(" "),
    },
  });
  return import(pathToFileURL(outfile).href);
}
