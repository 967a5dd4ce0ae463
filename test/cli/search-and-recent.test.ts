import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeApp, makeFakeApp, ULID } from "../support/fake-app.ts";
import { type RunOptions, run as runAt } from "../support/run-program.ts";

let home: string;
let app: FakeApp;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "memspool-cli-"));
  app = makeFakeApp();
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const run = (argv: readonly string[], options: Partial<RunOptions> = {}) =>
  runAt(argv, { home, app, ...options });

describe("search and recent", () => {
  const summary = {
    ulid: ULID,
    at: "2026-03-01T09:30:00.000Z",
    tier: "episodic",
    session_id: "s\u001b[31m",
    snippet: "the\nfound   words",
    total_chars: 20,
    state: "ingested" as const,
  };

  it("C1: search joins its words and hands the filters on", async () => {
    const filters = ["--session", "s", "--tag", "a", "--tag", "b", "--since", "2026-01-01"];
    const { exitCode, stdout } = await run(["search", "two", "words", "--limit", "5", ...filters]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "Nothing found.\n" });
    expect(app.asked).toEqual([
      {
        name: "search",
        input: expect.objectContaining({
          query: "two words",
          limit: 5,
          session_id: "s",
          tags: ["a", "b"],
          since: "2026-01-01",
          project: undefined,
        }),
      },
    ]);
  });

  it("C1: --project sets the current project; * and --all-projects look everywhere", async () => {
    await run(["search", "x", "--project", "atlas"]);
    await run(["search", "x", "--project", "*"]);
    await run(["recent", "--all-projects"]);
    expect(app.configs.map((config) => config.project)).toEqual(["atlas", "", ""]);
    const projects = app.asked.map(({ input }) => (input as { project?: string }).project);
    expect(projects).toEqual([undefined, "*", "*"]);
  });

  it("C1: search shows hits in a table, one line each, without control characters", async () => {
    app.memory.search = async () => ({
      results: [{ ...summary, score: 1.234 }],
      next_cursor: "abc",
      unsearched: 4,
    });
    const { stdout, stderr } = await run(["search", "x"]);
    expect(stdout).toContain("the found words");
    expect(stdout).toContain("1.23");
    expect(stdout).not.toContain("\u001b");
    expect(stderr).toContain("--cursor abc");
    expect(stderr).toContain("Not looked at: 4 records, pending or spilled. Run: memspool drain");
  });

  it("C1: --explain tells what was added from what was multiplied", async () => {
    const steps = { date: 1.5, coverage: 1.25, neighbours: 0.5 };
    const explain = { bm25: 2, words: [{ word: "found", score: 2 }], missing: ["lost"], steps };
    app.memory.search = async () => ({ results: [{ ...summary, score: 2, explain }] });
    const { stdout } = await run(["search", "found", "--explain"]);
    expect(stdout).toContain("= bm25 2.00: found 2.00");
    expect(stdout).toContain("= date +1.50, coverage ×1.25, neighbours +0.50");
  });

  it("C1: an answer without the store is shown, and is exit code 1", async () => {
    const store_error = { code: "STORE_UNAVAILABLE", message: "busy", retryable: true };
    app.memory.search = async () => ({ results: [], store_error });
    app.memory.recent = async () => ({ records: [], store_error });
    for (const argv of [["search", "x"], ["recent"]]) {
      const { exitCode, stderr } = await run(argv);
      expect(exitCode).toBe(1);
      expect(stderr).toContain("STORE_UNAVAILABLE");
      const json = await run([...argv, "--json"]);
      expect(json.exitCode).toBe(1);
      expect(json.json()).toMatchObject({ store_error });
    }
  });

  it("C1: recent lists records and names", async () => {
    app.memory.recent = async ({ list }) =>
      list === "tags"
        ? { names: [{ name: "infra", count: 7, last_at: summary.at }] }
        : { records: [{ ...summary, state: "pending" }] };
    const records = await run(["recent"]);
    expect(records.stdout).toContain("pending");
    expect(records.stdout).toContain("the found words");
    const { stdout } = await run(["recent", "--list", "tags"]);
    expect(stdout).toContain("infra");
    expect(stdout).toContain("7");
    expect((await run(["recent", "--list", "shoes"])).exitCode).toBe(2);
  });

  it("C1: says of a record that is not in the store yet where it is", async () => {
    const spilled = { ...summary, state: "spilled" as const };
    app.memory.search = async () => ({
      results: [
        { ...spilled, score: 1 },
        { ...summary, score: 0.5 },
      ],
    });
    app.memory.recent = async () => ({ records: [spilled, summary] });
    for (const argv of [["search", "x"], ["recent"]]) {
      const { stdout } = await run(argv);
      expect(stdout.match(/spilled/g), argv[0]).toHaveLength(1);
      expect(stdout, argv[0]).not.toContain("ingested");
    }
  });

  it("C1: tells an empty name from none", async () => {
    app.memory.recent = async () => ({ names: [{ name: "", count: 1, last_at: summary.at }] });
    expect((await run(["recent", "--list", "projects"])).stdout).toContain("(none)");
    expect((await run(["recent", "--list", "tags"])).stdout).toContain('""');
  });

  it("C1: refuses a limit out of range", async () => {
    for (const limit of ["0", "101", "x", "-1", "1.5"]) {
      expect((await run(["search", "x", `--limit=${limit}`])).exitCode).toBe(2);
    }
    expect(app.asked).toEqual([]);
  });

  it("C1: refuses a role or tier that no record can have, instead of finding nothing", async () => {
    for (const option of ["--role=human", "--tier=episodik"]) {
      for (const argv of [["search", "x"], ["recent"], ["export"]]) {
        const { exitCode, stdout, stderr } = await run([...argv, option]);
        expect(exitCode, `${argv[0]} ${option}`).toBe(2);
        expect(stdout).toBe("");
        expect(stderr).toMatch(/Allowed choices are .*(assistant|episodic)/);
      }
    }
    expect(app.asked).toEqual([]);
  });
});
