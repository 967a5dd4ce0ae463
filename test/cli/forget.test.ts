import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, it } from "vitest";
import type { ForgetInput, ForgetResult } from "../../src/memory/memory.ts";
import { type FakeApp, makeFakeApp, ULID } from "../support/fake-app.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { run as runAt } from "../support/run-program.ts";

let app: FakeApp;
beforeEach(() => {
  app = makeFakeApp();
});

const run = (argv: readonly string[], stdin = "") =>
  runAt(argv, { home: freshDirectory(), app, stdin });

function asked(name: string): unknown[] {
  return app.asked.filter((call) => call.name === name).map(({ input }) => input);
}

const DRY: ForgetResult = {
  state: "dry_run",
  count: 12,
  ulids: [ULID],
  confirm: "12-token",
  remains: {
    backups: [{ directory: "/backups/one", at: "2026-03-01T09:30:00.000Z", found: true }],
    old_stores: ["/home/store/memspool.db.before-1"],
  },
};

describe("memspool forget", () => {
  it("C1: without a terminal it only says what would go, and ends with 1", async () => {
    app.memory.forget = async () => DRY;
    const said = await run(["forget", "--session", "s1"]);
    expect(said.exitCode).toBe(1);
    expect(said.stdout).toContain("12 records would be forgotten for good");
    expect(said.stdout).toContain(`  ${ULID}\n  … 11 more\n`);
    expect(said.stdout).toContain("--confirm 12-token");
    expect(said.stdout).toContain("still in the backup of 2026-03-01 09:30Z: /backups/one");
    expect(said.stdout).toContain("may still be in /home/store/memspool.db.before-1");
    expect(asked("forget here")).toEqual([]);
  });

  it("C1: a dry run asked for ends with 0, in JSON as the tool answers", async () => {
    app.memory.forget = async () => DRY;
    const said = await run(["forget", ULID, "--dry-run", "--json"]);
    expect([said.exitCode, said.json()]).toEqual([0, DRY]);
  });

  it("C1: --yes brings the token of its own dry run back, --confirm the one that is given", async () => {
    const yes = await run(["forget", ULID, "--yes", "--reason", "a wrong address"]);
    expect([yes.exitCode, yes.stdout]).toEqual([0, "1 record forgotten\n"]);
    const reason = "a wrong address";
    expect(asked("forget")).toEqual([{ ulid: ULID, reason, dry_run: true }]);
    expect(asked("forget here")).toEqual([{ ulid: ULID, reason, confirm: "1-token" }]);
    await run(["forget", "--tag", "t", "--until", "2026-03-01", "--confirm", "9-mine"]);
    const filter = { tags: ["t"], until: "2026-03-01" };
    expect(asked("forget here")[1]).toEqual({ filter, confirm: "9-mine" });
  });

  it("C1: --project names what goes, and takes no record without a project along", async () => {
    await run(["forget", "--project", "zoo", "--yes"]);
    await run(["forget", "--project", "zoo", "--tag", "t", "--yes"]);
    await run(["forget", ULID, "--project", "zoo", "--yes"]);
    await run(["forget", "--project", "zoo", "--all-projects", "--yes"]);
    expect(asked("forget")).toEqual([
      { filter: { project: "zoo" }, dry_run: true },
      { filter: { project: "zoo", tags: ["t"] }, dry_run: true },
      { ulid: ULID, dry_run: true },
      { filter: { project: "*" }, dry_run: true },
    ]);
  });

  it.each([
    ["y\n", 0],
    ["n\n", 1],
    ["\n", 1],
  ])("C1: at a terminal it asks, and takes %j for an answer", async (answer, exitCode) => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    stdin.end(answer);
    const said = await runAt(["forget", ULID], {
      home: freshDirectory(),
      app,
      stdin,
      terminal: true,
    });
    expect(said.stderr).toContain("Forget 1 record for good? [y/N]");
    expect(said.exitCode).toBe(exitCode);
    expect(asked("forget here")).toHaveLength(exitCode === 0 ? 1 : 0);
  });

  it("C1: says when content is still being removed, and ends with 1", async () => {
    app.forgetHere = async (_input: ForgetInput) => ({
      ...DRY,
      state: "purging",
      advice: "It goes on.",
    });
    const said = await run(["forget", ULID, "--yes"]);
    expect([said.exitCode, said.stdout.split("\n").slice(0, 2)]).toEqual([
      1,
      ["12 records hidden", "It goes on."],
    ]);
  });

  it.each([[[]], [[ULID, "--session", "s1"]]])(
    "C1: refuses a call that names nothing, or both: %j",
    async (args) => {
      const said = await run(["forget", ...args, "--json"]);
      expect(said.exitCode).toBe(2);
      expect(said.json()).toMatchObject({ error: { code: "INVALID_ARGUMENT" } });
    },
  );
});
