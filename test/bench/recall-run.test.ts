/** The recall bench as a process, on three turns whose figures can be told beforehand. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

let dir: string;
let data: string;
let questions: string;

const lines = (values: readonly unknown[]) =>
  values.map((value) => JSON.stringify(value)).join("\n");

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "memspool-recall-run-"));
  data = join(dir, "turns.jsonl");
  questions = join(dir, "questions.jsonl");
  writeFileSync(
    data,
    lines([
      {
        session: "s",
        turn: 1,
        speaker: "Ada",
        role: "user",
        text: "The heron stood in the reeds.",
      },
      { session: "s", turn: 2, speaker: "Ben", text: "A lighthouse needs its keeper." },
      { session: "t", turn: 1, at: "2025-03-01", text: "Nothing of the kind was ever said." },
    ]),
  );
  const ask = (id: string, question: string, names: readonly string[]) => ({
    ...{ id, kind: "single-fact", lang: "en", question },
    evidence: names.map((name) => ({ session: name.charAt(0), turn: Number(name.slice(1)) })),
  });
  writeFileSync(
    questions,
    lines([
      ask("found", "heron reeds", ["s1"]),
      ask("half", "lighthouse keeper", ["s2", "t1"]),
      ask("missed", "zeppelin", ["s1"]),
    ]),
  );
});

afterAll(() => rmSync(dir, { recursive: true }));

function run(...options: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["bench/recall/run.mjs", ...options],
    { encoding: "utf8" },
  );
  return { status, stdout, stderr };
}

it("measures a data set of one's own, and the baselines beside it", () => {
  const { status, stdout, stderr } = run(`--data=${data}`, `--questions=${questions}`, "--json");
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const [result] = JSON.parse(stdout);
  expect(result).toMatchObject({ turns: 3, questions: 3 });
  const names = result.systems.map(({ name }: { name: string }) => name);
  expect(names).toEqual(["memspool", "fts5 or", "fts5 and", "fts5 or, speaker"]);
  for (const { all, groups } of result.systems) {
    expect(all["recall@1"]).toBeCloseTo((1 + 0.5 + 0) / 3, 12);
    expect(all["hit@20"]).toBeCloseTo(2 / 3, 12);
    expect(all.MRR).toBeCloseTo(2 / 3, 12);
    expect(groups["single-fact"].count).toBe(3);
  }
  expect(result.differences[0]).toMatchObject({ name: "fts5 or", difference: 0, low: 0, high: 0 });
});

it("shows the misses of a data set of one's own", () => {
  const { status, stdout } = run(`--data=${data}`, `--questions=${questions}`, "--show-misses");
  expect(status).toBe(0);
  expect(stdout).toMatch(/missed +s#1 {2}The heron stood/);
  expect(stdout).not.toContain("found (single-fact)");
});

it.each([
  ["--half=held-out"],
  ["--half=both"],
  ["--data=bench/recall/data/held-out", "--questions=bench/recall/questions-held-out.jsonl"],
  ["--data=bench/recall/data", "--questions=bench/recall/data/../questions-held-out.jsonl"],
])("refuses to show misses of the held-out half: %s", (...options) => {
  const { status, stdout, stderr } = run(...options, "--show-misses");
  expect(status).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/is for the dev half/);
});

it("says what is wrong with a call or a file, without a stack", () => {
  expect(run("--half=third")).toMatchObject({ status: 2, stdout: "" });
  expect(run("--kind=nonsense")).toMatchObject({ status: 2, stdout: "" });
  expect(run("--nonsense")).toMatchObject({ status: 2, stdout: "" });
  const broken = join(dir, "broken.jsonl");
  writeFileSync(broken, "{");
  const { status, stderr } = run(`--data=${broken}`, `--questions=${questions}`);
  expect(status).toBe(1);
  expect(stderr).toBe(`${broken}:1 is not JSON\n`);
});
