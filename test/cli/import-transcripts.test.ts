import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as realApp from "../../src/app.ts";
import { run } from "../support/run-program.ts";
import { transcript } from "../support/transcript-lines.ts";
import { TranscriptScene } from "../support/transcript-scene.ts";
import { CODEX_TALK, TALK } from "../support/transcript-talks.ts";

describe("the command", () => {
  it("C1: takes a client, paths or both, and tells the client by a file's first line", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK));
    scene.codex(transcript(...CODEX_TALK));
    expect(await scene.import("--dry-run", "codex")).toMatchObject({ files: 1, captured: 3 });
    expect(await scene.import("--dry-run", "claude-code")).toMatchObject({ files: 1, captured: 4 });
    const mixed = join(scene.root, "mixed");
    mkdirSync(mixed);
    scene.write(join(mixed, "a.jsonl"), transcript(...TALK));
    scene.write(join(mixed, "b.jsonl"), transcript(...CODEX_TALK));
    scene.write(join(mixed, "c.txt"), "no transcript");
    expect(await scene.import("--dry-run", mixed)).toMatchObject({ files: 2, captured: 7 });
    expect(await scene.import("--dry-run", "codex", mixed)).toMatchObject({
      files: 2,
      captured: 3,
    });
  });

  it("C1: says so when there is nothing, and leaves import of a file as it was", async () => {
    const scene = new TranscriptScene();
    const none = await scene.memspool("import", "transcripts");
    expect(none).toMatchObject({ exitCode: 0 });
    expect(none.stdout).toContain("There are no transcripts in");
    const wrong = await scene.memspool("import", "transcripts", "--since", "soon");
    expect(wrong.exitCode).toBe(2);
    const tagged = await scene.memspool("import", "transcripts", "--tag", "x");
    expect(tagged.exitCode).toBe(2);
    expect(tagged.stderr).toContain("--tag is for memspool import <file>");
    const help = await scene.memspool("import", "transcripts", "--help");
    expect(help.stdout).toContain("--include-tools");
    await scene.memspool("capture", "x");
    const file = join(scene.root, "transcripts");
    await scene.memspool("export", file);
    const again = await scene.memspool("import", file, "--json");
    expect(again.json()).toMatchObject({ format: "memspool", already_here: 1 });
  });

  it("C1: shows what was skipped by which rule", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK));
    const { stdout } = await scene.memspool("import", "transcripts");
    expect(stdout).toContain("imported 4 turns from 7 lines of 1 file");
    expect(stdout).toMatch(/ {2}tool 2 +tool calls and their results/);
  });

  it("C1: shows on a terminal how far it is, and nowhere else", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK));
    const { home, env } = scene;
    const argv = ["import", "transcripts", "--dry-run"];
    const shown = await run(argv, { home, env, app: realApp, terminal: true });
    expect(shown.stderr).toContain("reading transcripts, MiB");
    expect((await scene.memspool(...argv)).stderr).toBe("");
  });
});
