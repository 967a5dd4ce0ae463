/** Holds src and test to the house style, and shows for each rule that a breach is seen. */
import { expect, it } from "vitest";
import { readTree } from "./source-tree.ts";
import { sourceBreaches, testBreaches } from "./style-rules.ts";

function breachesIn(folder: string, rules: (path: string, text: string) => string[]): string[] {
  const files = readTree(folder, ".ts");
  expect(files.size).toBeGreaterThan(3);
  return [...files].flatMap(([path, text]) => rules(path, text).map((what) => `${path} ${what}`));
}

it("the sources keep the house style", () => {
  expect(breachesIn("src", sourceBreaches)).toEqual([]);
});

it("the tests keep the house style", () => {
  expect(breachesIn("test", testBreaches)).toEqual([]);
});

const TIDY = "/** Says what it guarantees. */\nexport const a = 1;\n";

it("finds nothing in a tidy file", () => {
  expect(sourceBreaches("src/queue/publish.ts", TIDY)).toEqual([]);
});

it("sees vague and ill-formed names, also of folders", () => {
  for (const path of ["src/utils.ts", "src/queue/helpers.ts", "src/common/a.ts"]) {
    expect(sourceBreaches(path, TIDY)).toHaveLength(1);
  }
  expect(sourceBreaches("src/queue/publishFile.ts", TIDY)).toHaveLength(1);
});

it("sees a file without an opening doc comment and one that is too long", () => {
  expect(sourceBreaches("src/a.ts", "// not a doc comment\nexport const a = 1;")).toHaveLength(1);
  expect(sourceBreaches("src/a.ts", TIDY + "export {};\n".repeat(299))).toHaveLength(1);
  expect(sourceBreaches("src/a.ts", TIDY + "export {};\n".repeat(298))).toEqual([]);
});

it("sees default exports", () => {
  for (const line of [
    "export default 1;",
    "export default function f() {}",
    "export default class {}",
    "const a = 1; export { a as default };",
  ]) {
    expect(sourceBreaches("src/a.ts", `/** x */\n${line}`), line).toEqual(["has a default export"]);
  }
  const clause = "/** x */\nswitch (1) { default: break; }";
  expect(sourceBreaches("src/a.ts", clause)).toEqual([]);
});

it("sees writers to stdout, readers of argv and console", () => {
  for (const line of [
    "process.stdout.write('x');",
    "const { stdout } = process;",
    "import { stdout } from 'node:process';",
    "console.log('x');",
    "const log = console;",
    "process.argv.slice(2);",
  ]) {
    expect(sourceBreaches("src/queue/a.ts", `/** x */\n${line}`), line).toHaveLength(1);
  }
  expect(sourceBreaches("src/cli/output.ts", "/** x */\nprocess.stdout.write('');")).toEqual([]);
  expect(sourceBreaches("src/main.ts", "/** x */\nprocess.argv;")).toEqual([]);
  const harmless = "/** process.stdout, console.log */\nconst s = 'process.argv'; x.process(s);";
  expect(sourceBreaches("src/queue/a.ts", harmless)).toEqual([]);
});

it("sees tests that are left out, unless the reason is printed", () => {
  const path = "test/queue/a.test.ts";
  for (const line of ["it.only('x', f);", "describe.skip('x', f);", "it.todo('x');", "t.skip();"]) {
    expect(testBreaches(path, line), line).toHaveLength(1);
  }
  expect(testBreaches(path, "it.skipIf(!root)('x', f);")).toHaveLength(1);
  expect(testBreaches(path, "it('x', (context) => context.skip('needs root'));")).toEqual([]);
});
