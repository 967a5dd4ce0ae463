/** Holds src to the layers, and shows on made-up files that the checker sees each kind of breach. */
import { expect, it } from "vitest";
import { findViolations, ROOMS, roomOf } from "./import-rules.ts";
import { readText, readTree } from "./source-tree.ts";

const { dependencies } = JSON.parse(readText("package.json")) as {
  dependencies: Record<string, string>;
};
const packages = Object.keys(dependencies);

function rulesBroken(files: Record<string, string>): string[] {
  return findViolations(new Map(Object.entries(files)), packages).map(({ rule }) => rule);
}

const sources = new Map([...readTree("src", ".ts")].filter(([path]) => !path.endsWith(".d.ts")));

it("imports point downwards only, without cycles", () => {
  expect(sources.size).toBeGreaterThan(10);
  expect(findViolations(sources, packages)).toEqual([]);
});

it("every folder of src has its row in the table of rooms", () => {
  const rooms = new Set([...sources.keys()].map(roomOf));
  expect([...rooms].filter((room) => ROOMS[room] === undefined)).toEqual([]);
});

it("reports a value import upwards", () => {
  const files = {
    "src/queue/publish.ts": 'import { commit } from "../store/commit.ts";',
    "src/store/commit.ts": "export const commit = 1;",
  };
  expect(rulesBroken(files)).toEqual(["layer"]);
});

it("reports a dynamic import and a re-export upwards", () => {
  const files = {
    "src/tools/capture.ts": 'export const load = () => import("../ingest/ingester.ts");',
    "src/memory/find.ts": 'export { ingest } from "../ingest/ingester.ts";',
    "src/ingest/ingester.ts": "export const ingest = 1;",
  };
  expect(rulesBroken(files)).toEqual(["layer", "layer"]);
});

it("lets a room have one file of another, and not its neighbours", () => {
  const files = {
    "src/record/record-id.ts": 'import { c } from "../platform/clock.ts"; export const a = c;',
    "src/record/envelope.ts": 'import { f } from "../platform/durable-fs.ts"; export const a = f;',
    "src/platform/clock.ts": "export const c = 1;",
    "src/platform/durable-fs.ts": "export const f = 1;",
  };
  expect(rulesBroken(files)).toEqual(["layer"]);
});

it("tells an import of types from one of values", () => {
  const shapes = { "src/memory/memory.ts": "export type Memory = object; export const m = 1;" };
  const types = 'import { type Memory } from "../memory/memory.ts"; export type M = Memory;';
  const typesInline = 'export type M = import("../memory/memory.ts").Memory;';
  const mixed = 'import { m, type Memory } from "../memory/memory.ts"; export type M = Memory;';
  expect(rulesBroken({ ...shapes, "src/tools/a.ts": types })).toEqual([]);
  expect(rulesBroken({ ...shapes, "src/tools/a.ts": typesInline })).toEqual([]);
  expect(rulesBroken({ ...shapes, "src/tools/a.ts": mixed })).toEqual(["types-only"]);
});

it("reports a cycle inside a room", () => {
  const files = {
    "src/queue/a.ts": 'import { b } from "./b.ts"; export const a = b;',
    "src/queue/b.ts": 'import { c } from "./c.ts"; export const b = c;',
    "src/queue/c.ts": 'import { a } from "./a.ts"; export const c = a;',
  };
  expect(rulesBroken(files)).toEqual(["cycle"]);
});

it("reports a package outside its home, an undeclared one, and Node's own only by full name", () => {
  const at = (path: string, specifier: string) =>
    rulesBroken({ [path]: `import * as x from "${specifier}";` });
  expect(at("src/tools/a.ts", "@modelcontextprotocol/sdk/types.js")).toEqual(["package"]);
  expect(at("src/server/a.ts", "@modelcontextprotocol/sdk/types.js")).toEqual([]);
  expect(at("src/cli/demo.ts", "@modelcontextprotocol/sdk/client/index.js")).toEqual([]);
  expect(at("src/store/open-store.ts", "@photostructure/sqlite")).toEqual(["package"]);
  expect(at("src/store/sqlite/open.ts", "@photostructure/sqlite")).toEqual([]);
  expect(at("src/queue/a.ts", "left-pad")).toEqual(["package"]);
  expect(at("src/queue/a.ts", "fs")).toEqual(["package"]);
  expect(at("src/queue/a.ts", "node:fs")).toEqual([]);
});

it("reports imports of tests, of missing files and of computed names", () => {
  expect(rulesBroken({ "src/app.ts": 'import "../test/support/x.ts";' })).toEqual(["outside"]);
  expect(rulesBroken({ "src/app.ts": 'import "./gone.ts";' })).toEqual(["unresolved"]);
  expect(rulesBroken({ "src/app.ts": "const n = 1; import(n);" })).toEqual(["unresolved"]);
});

it("is not fooled by comments and strings", () => {
  const text = '// import "../server/x.ts"\nexport const s = \'import "../server/x.ts"\';';
  expect(rulesBroken({ "src/queue/a.ts": text })).toEqual([]);
});
