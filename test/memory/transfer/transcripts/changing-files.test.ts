import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { freshDirectory } from "../../../support/fresh-directory.ts";
import { transcript, typed } from "../../../support/transcript-lines.ts";
import { TranscriptScene } from "../../../support/transcript-scene.ts";
import { SESSION, TALK } from "../../../support/transcript-talks.ts";

describe("files that change", () => {
  it("C2: a live file is read as far as it is written, and on from there", async () => {
    const scene = new TranscriptScene();
    const [one, two, three] = ["yes", "yes", "no"].map((text) => JSON.stringify(typed(text)));
    const file = scene.claude(`${one}\n${two?.slice(0, 40)}`);
    expect(await scene.import()).toMatchObject({
      captured: 1,
      left_for_next: 1,
      unreadable_lines: 0,
    });
    // Whole, but without its line feed: nothing can be missing from it.
    appendFileSync(file, `${two?.slice(40)}`);
    expect(await scene.import()).toMatchObject({ lines: 1, captured: 1, left_for_next: 0 });
    appendFileSync(file, `\n${three}\n[[[\n`);
    const result = await scene.import();
    expect(result).toMatchObject({ lines: 2, captured: 1 });
    expect(result.notes).toMatchObject([{ line: 4 }]);
    expect(await scene.said()).toEqual(expect.arrayContaining(["user: yes", "user: no"]));
    expect((await scene.said()).filter((each) => each === "user: yes")).toHaveLength(2);
  });

  it("C2: a file that shrank, or another one under its name, is read from its beginning", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK));
    await scene.import();
    scene.claude(transcript(typed("rewritten")));
    expect(await scene.import()).toMatchObject({ captured: 1 });
    const longer = Array.from({ length: 20 }, (_, n) => typed(`replaced ${n}`));
    scene.claude(transcript(...longer));
    expect(await scene.import()).toMatchObject({ captured: 20 });
  });

  it("C2: a damaged note of the place, or one of a store that is gone, counts for nothing", async () => {
    const scene = new TranscriptScene();
    scene.claude(transcript(...TALK));
    await scene.import();
    const states = join(scene.home, "transcripts");
    expect(statSync(states).mode & 0o777).toBe(0o700);
    const [state = ""] = readdirSync(states);
    expect(statSync(join(states, state)).mode & 0o777).toBe(0o600);
    for (const damaged of ["", "{", '{"rules":99}', "null"]) {
      writeFileSync(join(states, state), damaged);
      expect(await scene.import()).toMatchObject({ captured: 0, already_here: 4 });
    }
    // Read again because of the loss; the note was made when everything was here already.
    rmSync(join(scene.home, "queue"), { recursive: true });
    expect(await scene.import()).toMatchObject({ captured: 4, already_here: 0 });
  });

  it("X1: where its place can not be noted, or only behind a link, everything is imported all the same", async () => {
    const scene = new TranscriptScene();
    const file = scene.claude(transcript(...TALK));
    const outside = freshDirectory();
    mkdirSync(scene.home);
    symlinkSync(outside, join(scene.home, "transcripts"));
    const note = { file, reason: "its place could not be noted (ENOTDIR)" };
    expect(await scene.import()).toMatchObject({ captured: 4, notes: [note] });
    expect(readdirSync(outside)).toEqual([]);
    rmSync(join(scene.home, "transcripts"));
    writeFileSync(join(scene.home, "transcripts"), "");
    expect(await scene.import()).toMatchObject({ captured: 0, already_here: 4, notes: [note] });
  });

  it("C2: what is no file, is gone or can not be told is named, and the others come through", async () => {
    const scene = new TranscriptScene();
    const file = scene.claude(transcript(...TALK));
    const odd = scene.write(join(scene.root, "notes.jsonl"), '{"a":1}\n');
    const inside = join(scene.claudeDir, "projects", "loop");
    symlinkSync(join(scene.claudeDir, "projects"), inside);
    const result = await scene.import(scene.claudeDir, odd);
    expect(result).toMatchObject({ files: 2, captured: 4, failed_files: 1 });
    expect(result.notes).toMatchObject([
      { file: odd, reason: expect.stringContaining("name the client") },
    ]);
    const gone = await scene.memspool("import", "transcripts", join(scene.root, "gone"));
    expect(gone.exitCode).toBe(2);
    expect(gone.stderr).toContain("gone can not be read (ENOENT)");
    expect(file).toContain(SESSION);
  });
});
