/** What completes a line, asked through the hidden command as a shell asks. */
import { expect, it } from "vitest";
import { SETTING_NAMES } from "../../../src/config/settings.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { run } from "../../support/run-program.ts";

async function complete(...words: string[]): Promise<{ kind: string; values: string[] }> {
  const result = await run(["__complete", "--", ...words], { home: freshDirectory() });
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  const [kind = "", ...lines] = result.stdout.trimEnd().split("\n");
  return { kind, values: lines.map((line) => line.split("\t")[0] ?? "") };
}

it("C1: completes every command that help lists, and no hidden one", async () => {
  const home = freshDirectory();
  const { stdout } = await run(["--help"], { home });
  const [, section = ""] = stdout.split(/^Commands:$/m);
  const listed = [
    ...(section.split(/^\S/m)[0] ?? "").matchAll(/^ {2}([a-z_]+)(?: \[| <| {2,})/gm),
  ].map(([, name]) => name);
  const { values } = await complete("");
  expect(listed.length).toBeGreaterThan(15);
  expect(listed.filter((name) => !values.includes(name as string))).toEqual([]);
  expect(values).not.toContain("__complete");
  expect(stdout).not.toContain("__complete");
});

it("C1: every option that a command's help shows is completed, the common ones too", async () => {
  const home = freshDirectory();
  for (const command of (await complete("")).values.filter((name) => name !== "help")) {
    const { stdout } = await run([command, "--help"], { home });
    const shown = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag);
    expect(shown.length, command).toBeGreaterThan(4);
    expect((await complete(command, "--")).values).toEqual(expect.arrayContaining(shown));
  }
});

it.each([
  [["ins"], ":values", ["install"]],
  [["search", "--ti"], ":values", ["--tier"]],
  [["search", "--tier", ""], ":values", ["working", "episodic", "semantic", "procedural"]],
  [["search", "--tier", "ep"], ":values", ["episodic"]],
  [["search", "--tier=s"], ":values", ["--tier=semantic"]],
  [["capture", "--priority", "h"], ":values", ["high"]],
  [["capture", "--role", "a"], ":values", ["assistant"]],
  [["--log-level", "w"], ":values", ["warning"]],
  [["status", "--log-level", "sil"], ":values", ["silent"]],
  [["quarantine", "re"], ":values", ["retry"]],
  [["quarantine", "retry", "--a"], ":values", ["--all"]],
  [["--home", "x", "quarantine", "sh"], ":values", ["show"]],
  [["install", "cl"], ":values", ["claude-code", "claude-desktop"]],
  [["install", "--scope", "p"], ":values", ["project"]],
  [["install", "--scope", "project", "z"], ":values", ["zed"]],
  [["completion", ""], ":values", ["bash", "zsh", "fish"]],
  [["--set", "queue.over"], ":nospace", ["queue.overflow="]],
  [["--set", "queue.overflow=s"], ":values", ["queue.overflow=spill"]],
  [
    ["drain", "--set", "ingest.enabled="],
    ":values",
    ["ingest.enabled=true", "ingest.enabled=false"],
  ],
  [["--set", "colour=r"], ":values", []],
  [["--home", ""], ":directories", []],
  [["restore", ""], ":directories", []],
  [["import", "x"], ":files", []],
  [["import", ""], ":files", ["transcripts"]],
  [["import", "transcripts", "c"], ":files", ["claude-code", "codex"]],
  [["import", "transcripts", "codex", ""], ":files", []],
  [["import", "transcripts", "--si"], ":values", ["--since"]],
  [["install", "cursor", "--file", ""], ":files", []],
  [["get", ""], ":values", []],
  [["search", "--session", ""], ":values", []],
  [["search", "--", "--ti"], ":values", []],
  [["frobnicate", ""], ":values", []],
  [["--frobnicate=", ""], ":values", undefined],
  [["--json=x"], ":values", []],
] as const)("C1: %j is completed by %s %j", async (words, kind, values) => {
  const completion = await complete(...words);
  expect(completion.kind).toBe(kind);
  if (values !== undefined) expect(completion.values).toEqual(values);
});

it("C1: --set offers every setting", async () => {
  expect((await complete("--set", "")).values).toEqual(SETTING_NAMES.map((name) => `${name}=`));
});

it("C1: without a word it is as if the first were being typed", async () => {
  const { stdout } = await run(["__complete"], { home: freshDirectory() });
  expect(stdout).toContain("\nsearch\t");
});

it("C1: completion needs a shell that it knows, and --json has the script in it", async () => {
  const home = freshDirectory();
  const { exitCode, stderr } = await run(["completion", "tcsh"], { home });
  expect(exitCode).toBe(2);
  expect(stderr).toContain("bash, zsh, fish");
  const { json } = await run(["completion", "fish", "--json"], { home });
  expect(json()).toMatchObject({ shell: "fish", script: expect.stringContaining("complete -c") });
});
