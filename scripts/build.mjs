// Builds dist/: a CommonJS entry (main.js) that sets the thread pool and imports the bundled ESM
// program, the two worker entries, the library entry, and its type declarations.
// Native and rarely used packages stay outside the bundle and are loaded when first needed.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
const dist = `${root}dist`;
const shared = {
  absWorkingDir: root,
  platform: "node",
  target: "node20.19",
  bundle: true,
  sourcemap: true,
  legalComments: "none",
  logLevel: "warning",
  define: { MEMSPOOL_VERSION: JSON.stringify(version) },
};

// Kept out of the bundle because every start would pay for it:
// - the schema compiler that the SDK's server loads for a feature we do not use (we hand it a
//   validator of our own; the SDK's client, in the demo, still gets the real one);
// - zod's messages in forty languages.
const leaveOut = {
  name: "leave-out",
  setup({ onResolve, onLoad }) {
    const leftOut = (path) => ({ path, namespace: "left-out" });
    onResolve({ filter: /\/ajv-provider\.js$/ }, ({ path, importer }) =>
      importer.endsWith("/sdk/dist/esm/server/index.js") ? leftOut(path) : undefined,
    );
    onResolve({ filter: /\/locales\/index\.js$/ }, ({ path, importer }) =>
      importer.includes("/node_modules/zod/") ? leftOut(path) : undefined,
    );
    onLoad({ filter: /ajv-provider/, namespace: "left-out" }, () => ({
      contents: "export class AjvJsonSchemaValidator {}",
    }));
    onLoad({ filter: /locales/, namespace: "left-out" }, () => ({ contents: "export {};" }));
  },
};

const external = ["@photostructure/sqlite", "@secretlint/secretlint-rule-preset-recommend"];

// A hook has a tenth of a second beyond the start of node. It is one CommonJS file, and the schema
// library, which takes longer to load than all the rest, stays outside until a schema is asked.
const forHook = {
  name: "for-hook",
  setup({ onResolve }) {
    onResolve({ filter: /^zod$/ }, () => ({ path: `${root}scripts/deferred-zod.mjs` }));
    onResolve({ filter: /\/hook-recall\.ts$/ }, () => ({
      path: "./hook-recall.mjs",
      external: true,
    }));
  },
};

rmSync(dist, { recursive: true, force: true });
await build({
  ...shared,
  entryPoints: {
    program: "src/cli/program.ts",
    index: "src/index.ts",
    "hook-recall": "src/cli/hook-recall.ts",
    "ingest-worker": "src/workers/ingest-worker.ts",
    "store-worker": "src/workers/store-worker.ts",
  },
  outdir: dist,
  format: "esm",
  splitting: true,
  outExtension: { ".js": ".mjs" },
  chunkNames: "chunk-[name]-[hash]",
  plugins: [leaveOut],
  // jsonc-parser's main file hides what it requires from the bundler; its module does not.
  // stopword's main file is one object of sixty languages; of its module, unused lists are dropped.
  alias: {
    "jsonc-parser": "./node_modules/jsonc-parser/lib/esm/main.js",
    stopword: "./node_modules/stopword/dist/stopword.esm.mjs",
  },
  external,
  // Bundled CommonJS packages call require() for Node's own modules, and write-file-atomic makes
  // names of temp files from __filename.
  banner: {
    js: [
      'import { createRequire as memspoolRequire } from "node:module";',
      "const require = memspoolRequire(import.meta.url);",
      "const __filename = import.meta.filename;",
    ].join(" "),
  },
});
await build({
  ...shared,
  entryPoints: { hook: "src/cli/hook-program.ts" },
  outdir: dist,
  format: "cjs",
  minify: true,
  external: [...external, "./zod.js"],
  plugins: [forHook],
});
await build({
  ...shared,
  stdin: { contents: 'export { z } from "zod";', resolveDir: root },
  outfile: `${dist}/zod.js`,
  format: "cjs",
  plugins: [leaveOut],
});
await build({
  ...shared,
  entryPoints: { main: "src/main.ts" },
  outdir: dist,
  format: "cjs",
  external: ["./program.mjs", "./hook.js"],
  banner: { js: "#!/usr/bin/env node" },
});
writeFileSync(`${dist}/package.json`, '{ "type": "commonjs" }\n');
chmodSync(`${dist}/main.js`, 0o755);
if (!process.argv.includes("--no-types")) {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.types.json"], {
    cwd: root,
    stdio: "inherit",
  });
}
