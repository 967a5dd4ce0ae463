/** Command lines: what the shell makes of them, and which of them are ours. */
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { shellLine, startsMemspool, wordsOf } from "../../../src/cli/install/our-command.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";

const AWKWARD = [
  "plain",
  "with blank",
  "it's",
  'say "hi"',
  "$HOME `id` $(id)",
  "back\\slash\\",
  "bang!",
  "a;b|c&d>e<f",
  "*?[x]~",
  "",
  "ünï 日本",
  "line\nbreak",
];

it.each(["sh", "bash"])("C2: %s reads every word as it was", (shell) => {
  const program = "console.log(JSON.stringify(process.argv.slice(1)))";
  const line = shellLine([process.execPath, "-e", program, "--", ...AWKWARD], "posix");
  const { stdout, stderr } = spawnSync(shell, ["-c", line], { encoding: "utf8" });
  expect({ words: JSON.parse(stdout || "null"), stderr }).toEqual({ words: AWKWARD, stderr: "" });
});

it("C2: a hook's line starts memspool from a directory with blanks and quotes", () => {
  const directory = join(freshDirectory(), 'it\'s a "$HOME" dir', "dist");
  mkdirSync(directory, { recursive: true });
  const script = join(directory, "main.js");
  writeFileSync(script, "process.stdout.write(process.argv.slice(2).join('|'))");
  const node = join(directory, "node");
  symlinkSync(process.execPath, node);
  const line = shellLine([node, script, "hook", "claude-code"], "posix");
  expect(spawnSync("sh", ["-c", line], { encoding: "utf8" }).stdout).toBe("hook|claude-code");
  expect(startsMemspool(wordsOf(line) ?? [], ["hook", "claude-code"])).toBe(true);
});

it("C2: what was written is read back, word for word", () => {
  for (const word of AWKWARD) expect(wordsOf(shellLine(["a", word], "posix"))).toEqual(["a", word]);
  const windows = [
    "C:\\Program Files\\nodejs\\node.exe",
    "C:\\a b\\dist\\main.js",
    "hook",
    "codex",
  ];
  expect(wordsOf(shellLine(windows, "windows"))).toEqual(windows);
  expect(shellLine(windows, "windows")).toBe(
    'cmd /d /c call "C:\\Program Files\\nodejs\\node.exe" "C:\\a b\\dist\\main.js" hook codex',
  );
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 }), (words) => {
      expect(wordsOf(shellLine(["x", ...words], "posix"))).toEqual(["x", ...words]);
    }),
    { numRuns: 500 },
  );
});

it("C2: a line that does more than start one program is nobody's", () => {
  for (const line of [
    "a | b",
    "a && b",
    "a; b",
    "a > f",
    "a $(b)",
    "a `b`",
    'a "b',
    "a 'b",
    "a $B",
  ]) {
    expect(wordsOf(line), line).toBeUndefined();
  }
});

it("C2: ours is what starts memspool, from wherever", () => {
  const serve = (...words: string[]) => startsMemspool(words, ["serve"]);
  expect(serve("/usr/bin/node", "/x/dist/main.js", "serve")).toBe(true);
  expect(serve("node", "C:\\x\\dist\\main.js", "serve", "--home", "y")).toBe(true);
  expect(serve("C:\\n\\node.exe", "C:\\x\\dist\\main.js", "serve")).toBe(true);
  expect(serve("/usr/local/bin/memspool", "serve")).toBe(true);
  expect(serve("memspool.cmd", "serve")).toBe(true);
  expect(serve("npx", "-y", "memspool@0.1.0", "serve")).toBe(true);
  expect(serve("node", "/x/dist/main.js")).toBe(false);
  expect(serve("node", "/x/dist/main.js", "drain")).toBe(false);
  expect(serve("node", "/x/dist/index.js", "serve")).toBe(false);
  expect(serve("python", "/x/dist/main.js", "serve")).toBe(false);
  expect(serve("npx", "-y", "memspool-fork", "serve")).toBe(false);
  expect(serve()).toBe(false);
});
