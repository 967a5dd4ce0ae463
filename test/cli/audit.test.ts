import { beforeEach, describe, expect, it } from "vitest";
import type { AuditPage } from "../../src/memory/memory.ts";
import { type FakeApp, makeFakeApp } from "../support/fake-app.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { auditLine, auditUlid } from "../support/overflow-audit-bench.ts";
import { run as runAt } from "../support/run-program.ts";

let app: FakeApp;
beforeEach(() => {
  app = makeFakeApp();
});

const run = (...argv: string[]) => runAt(argv, { home: freshDirectory(), app });

const NONE = { files: 0, bytes: 0, spilled: 0, dropped: 0, damaged: 0 };

function page(changes: Partial<AuditPage> = {}): AuditPage {
  return {
    total: 2,
    entries: [auditLine(2, { disposition: "dropped" }), auditLine(1)],
    totals: {
      ...NONE,
      files: 1,
      bytes: 590,
      spilled: 1,
      dropped: 1,
      deleted: { ...NONE, incomplete: false },
    },
    ...changes,
  };
}

describe("audit", () => {
  it("C1: says so when no record ever left a full queue", async () => {
    const { stdout, exitCode } = await run("audit");
    expect(stdout).toBe("No record ever left a full queue.\n");
    expect(exitCode).toBe(0);
    expect(app.closed).toBe(1);
  });

  it("C1: a table of what left, and the totals", async () => {
    app.memory.audited = async () => page();
    const { stdout, exitCode } = await run("audit");
    for (const text of [auditUlid(1), auditUlid(2), "spilled", "dropped", "2026-03-01 09:30Z"]) {
      expect(stdout).toContain(text);
    }
    expect(stdout).toContain("1 spilled, 1 dropped; 1 file, 590 B\n");
    expect(stdout).not.toContain("checkpoint");
    expect(exitCode).toBe(0);
  });

  it("C1: counts deleted files by their checkpoint, and says when that is too low", async () => {
    const { totals } = page();
    const deleted = { files: 3, bytes: 2_048, spilled: 70, dropped: 5, damaged: 1 };
    const shown = [];
    for (const incomplete of [false, true]) {
      app.memory.audited = async () =>
        page({ totals: { ...totals, damaged: 2, deleted: { ...deleted, incomplete } } });
      shown.push((await run("audit")).stdout.split("\n").slice(-3, -1));
    }
    const here = "1 spilled, 1 dropped; 1 file, 590 B, 2 damaged lines";
    const before = "before that, by the checkpoint of deleted files: ";
    const rest = "70 spilled, 5 dropped; 3 files, 2.0 KiB, 1 damaged line";
    expect(shown).toEqual([
      [here, before + rest],
      [here, `${before}at least ${rest}`],
    ]);
  });

  it("C1: hands limit and cursor on, and names the next page", async () => {
    const asked: unknown[] = [];
    app.memory.audited = async (input) => {
      asked.push(input);
      return page({ next_cursor: "further" });
    };
    const { stderr } = await run("audit", "--limit", "2", "--cursor", "here");
    expect(asked).toEqual([{ limit: 2, cursor: "here" }]);
    expect(stderr).toBe("More: --cursor further\n");
    expect((await run("audit", "--limit", "0")).exitCode).toBe(2);
  });

  it("C1: --json is the page itself", async () => {
    app.memory.audited = async () => page();
    const { json, exitCode } = await run("audit", "--json");
    expect(json()).toEqual(page());
    expect(exitCode).toBe(0);
  });

  it("C1: --help has examples", async () => {
    const { stdout, exitCode } = await run("audit", "--help");
    expect(stdout).toContain("$ memspool audit --limit 5");
    expect(exitCode).toBe(0);
  });

  it("C1: control characters in a line do not reach the terminal", async () => {
    const odd = { ...auditLine(1), appended_at: "\u001b[2J" };
    app.memory.audited = async () => page({ entries: [odd] });
    const { stdout } = await run("audit");
    expect(stdout).not.toContain("\u001b[2J");
  });
});
