/** Bundles a child process's entry once, so that starting one costs what starting node does. */
import { join, resolve } from "node:path";
import { build } from "esbuild";

/**
 * @param name of the entry in this folder, without `.ts`
 * @param directory where the bundle goes
 * @returns path of the bundle
 */
export async function bundleChild(name: string, directory: string): Promise<string> {
  const outfile = join(directory, `${name}.mjs`);
  const sqlite = resolve("node_modules/@photostructure/sqlite/dist/index.mjs");
  await build({
    entryPoints: [`test/support/${name}.ts`],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    logLevel: "warning",
    // The bundle lies outside of the project, where no package is found by name.
    alias: { "@photostructure/sqlite": sqlite },
    external: [sqlite],
    define: { MEMSPOOL_VERSION: '"test"' },
    banner: {
      js: [
        'import { createRequire as childRequire } from "node:module";',
        "const require = childRequire(import.meta.url);",
        "const __filename = import.meta.filename;",
      ].join(" "),
    },
  });
  return outfile;
}
