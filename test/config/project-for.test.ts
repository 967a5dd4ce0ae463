import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load-config.ts";
import { projectFor } from "../../src/config/project-for.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

/** A directory that git would take for a repository. */
function repository(name: string): string {
  const path = join(freshDirectory(), name);
  mkdirSync(join(path, ".git", "objects"), { recursive: true });
  writeFileSync(join(path, ".git", "HEAD"), "ref: refs/heads/main\n");
  return path;
}

const settings = (detect: string, project?: string, cwd = freshDirectory()) =>
  loadConfig({
    flags: { home: freshDirectory(), "project.detect": detect, project },
    env: {},
    cwd,
  });

describe("the project of what was said in a directory", () => {
  it("C3: is the repository's, unless one was given or nobody is to look", async () => {
    const shop = repository("shop");
    expect(projectFor(await settings("hooks"), shop)).toBe("shop");
    expect(projectFor(await settings("hooks", "other"), shop)).toBe("other");
    expect(projectFor(await settings("off"), shop)).toBe("");
    expect(projectFor(await settings("off", "other"), shop)).toBe("other");
  });

  it("C3: is not the one around this process, which only looks at what was said elsewhere", async () => {
    const here = await settings("git", undefined, repository("here"));
    expect(here.config.project).toBe("here");
    expect(projectFor(here, repository("shop"))).toBe("shop");
    expect(projectFor(here, freshDirectory())).toBe("");
    expect(projectFor(here, undefined)).toBe("");
  });

  it("C3: is that of the nearest directory above, where the directory itself is gone", async () => {
    const shop = repository("shop");
    const gone = join(shop, "old", "cups");
    expect(projectFor(await settings("hooks"), gone)).toBe("shop");
    rmSync(shop, { recursive: true });
    expect(projectFor(await settings("hooks"), gone)).toBe("");
  });

  it("C3: is none for a path of another system, wherever this process stands", async () => {
    expect(projectFor(await settings("hooks"), "src")).toBe("");
    if (process.platform !== "win32") {
      expect(projectFor(await settings("hooks"), "C:\\work\\shop")).toBe("");
    }
  });
});
