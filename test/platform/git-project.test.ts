import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { gitProject } from "../../src/platform/git-project.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { git, needGit } from "../support/real-git.ts";

function repository(name: string): string {
  const dir = join(freshDirectory(), name);
  mkdirSync(dir);
  git(dir, "init", "-q");
  git(dir, "commit", "-q", "--allow-empty", "-m", "first");
  return dir;
}

it("C3: a repository names its project, from any directory below", (context) => {
  needGit(context);
  const dir = repository("tea-shop");
  const deep = join(dir, "src", "deep", "er");
  mkdirSync(deep, { recursive: true });
  expect([gitProject(dir), gitProject(deep), gitProject(join(dir, ".git"))]).toEqual([
    "tea-shop",
    "tea-shop",
    "tea-shop",
  ]);
});

it("C3: worktrees share the name of their repository, wherever they lie", (context) => {
  needGit(context);
  const dir = repository("tea-shop");
  const elsewhere = join(freshDirectory(), "hotfix");
  git(dir, "worktree", "add", "-q", elsewhere);
  git(dir, "worktree", "add", "-q", join(dir, "inner"));
  expect([gitProject(elsewhere), gitProject(join(dir, "inner"))]).toEqual(["tea-shop", "tea-shop"]);
});

it("C3: a submodule is a project of its own, and a bare repository loses its ending", (context) => {
  needGit(context);
  const library = repository("kettle");
  const dir = repository("tea-shop");
  git(dir, "submodule", "add", "-q", library, "libs/kettle");
  expect(gitProject(join(dir, "libs", "kettle"))).toBe("kettle");
  expect(gitProject(join(dir, "libs"))).toBe("tea-shop");
  const bare = freshDirectory();
  git(bare, "clone", "-q", "--bare", library, "kettle.git");
  expect(gitProject(join(bare, "kettle.git"))).toBe("kettle");
  git(join(bare, "kettle.git"), "worktree", "add", "-q", join(bare, "work"));
  expect(gitProject(join(bare, "work"))).toBe("kettle");
});

it("C3: a separate git directory and a repository without commits are found", (context) => {
  needGit(context);
  const base = freshDirectory();
  mkdirSync(join(base, "stores"));
  git(base, "init", "-q", "--separate-git-dir", join(base, "stores", "tea.git"), "work");
  expect(gitProject(join(base, "work"))).toBe("tea");
  git(base, "init", "-q", "empty");
  expect(gitProject(join(base, "empty"))).toBe("empty");
});

it("C3: what is no repository has no project, and broken pointers are none", () => {
  const dir = freshDirectory();
  expect(gitProject(dir)).toBe("");
  expect(gitProject(join(dir, "not", "there"))).toBe("");
  for (const content of ["", "gitdir: /nowhere/at/all\n", "\0\0\0", "x".repeat(100_000)]) {
    writeFileSync(join(dir, ".git"), content);
    expect(gitProject(dir)).toBe("");
  }
});

it("C3: a symlink to itself in place of .git is no repository", () => {
  const dir = freshDirectory();
  symlinkSync(".git", join(dir, ".git"));
  expect(gitProject(dir)).toBe("");
});

it("C3: a name that no project may have is none", (context) => {
  needGit(context);
  const dir = repository("plain");
  const star = join(dir, "..", "*");
  renameSync(dir, star);
  expect(gitProject(star)).toBe("");
});
