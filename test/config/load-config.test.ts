import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load-config.ts";
import { git, needGit } from "../support/real-git.ts";

let home: string;
let file: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "memspool-config-"));
  file = join(home, "config.json");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const load = () => loadConfig({ env: { MEMSPOOL_HOME: home } });

it("P11: reads config.json of the data directory that arguments or environment name", async () => {
  writeFileSync(file, '{"queue.maxAttempts": 7}');
  expect((await load()).config["queue.maxAttempts"]).toBe(7);
  const other = await loadConfig({ flags: { home }, env: { MEMSPOOL_HOME: "/nowhere" } });
  expect(other.config["queue.maxAttempts"]).toBe(7);
});

it("Q13: a missing directory is all defaults, and is not made", async () => {
  const absent = join(home, "absent");
  const { config } = await loadConfig({ env: { MEMSPOOL_HOME: absent } });
  expect(config.home).toBe(absent);
  expect(existsSync(absent)).toBe(false);
});

it("P11: what is not JSON is refused without repeating it", async () => {
  writeFileSync(file, '{"token-like-secret"');
  const error = await load().catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "CONFIG_INVALID" });
  expect(String(error)).not.toContain("secret");
});

it("P11: a directory, a FIFO and an oversized file are refused at once", async () => {
  mkdirSync(file);
  await expect(load()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  rmSync(file, { recursive: true });
  execFileSync("mkfifo", [file]);
  await expect(load()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  rmSync(file);
  writeFileSync(file, `{"project": "${"x".repeat(1_048_576)}"}`);
  await expect(load()).rejects.toThrow(/limit is 1048576/);
});

it("C3: the project is the repository's only where the settings say so and name none", async (context) => {
  needGit(context);
  git(home, "init", "-q", "tea-shop");
  const projectOf = async (env: Record<string, string>) => {
    const cwd = join(home, "tea-shop");
    return (await loadConfig({ env: { MEMSPOOL_HOME: home, ...env }, cwd })).config.project;
  };
  expect(await projectOf({})).toBe("");
  expect(await projectOf({ MEMSPOOL_PROJECT_DETECT: "git" })).toBe("tea-shop");
  const named = { MEMSPOOL_PROJECT_DETECT: "git", MEMSPOOL_PROJECT: "other" };
  expect(await projectOf(named)).toBe("other");
});

it("C3: own expressions are checked before anything starts", async () => {
  const patterns = async (value: unknown) => {
    writeFileSync(file, JSON.stringify({ "privacy.patterns": value }));
    return (await load()).config["privacy.patterns"];
  };
  expect(await patterns(["a+", "\\p{L}"])).toEqual(["a+", "\\p{L}"]);
  expect(await patterns('["a"]')).toEqual(["a"]);
  expect(await patterns("")).toEqual([]);
  const wrong = ["a", { a: 1 }, [1], ["("], ["a*"], [""], ["x".repeat(1_025)], Array(65).fill("a")];
  for (const value of wrong) {
    await expect(patterns(value)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  }
});

it("C3: days of projects come as an object or as its JSON, and nothing else does", async () => {
  const projects = async (value: unknown) => {
    writeFileSync(file, JSON.stringify({ "retention.projects": value }));
    return { ...(await load()).config["retention.projects"] };
  };
  expect((await load()).config).toMatchObject({ "retention.days": 0, "retention.projects": {} });
  expect(await projects({ a: 30, "": 0 })).toEqual({ a: 30, "": 0 });
  expect(await projects('{"a": 36500}')).toEqual({ a: 36_500 });
  expect(await projects("")).toEqual({});
  const wrong = ["a", [1], null, 5, { a: -1 }, { a: 1.5 }, { a: "3" }, { a: 36_501 }, { "*": 3 }];
  for (const value of wrong) {
    await expect(projects(value), JSON.stringify(value)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  }
});

it("X1: a config.json that is a symlink is not followed", async () => {
  writeFileSync(join(home, "real.json"), "{}");
  symlinkSync(join(home, "real.json"), file);
  await expect(load()).rejects.toMatchObject({ code: "UNSAFE_PATH" });
});
