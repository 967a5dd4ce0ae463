import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createApp, restore } from "../../src/app.ts";
import { MemspoolError } from "../../src/errors.ts";
import type { RebuildResult } from "../../src/memory/rebuild/rebuild-result.ts";
import { makeFakeApp } from "../support/fake-app.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { type RunOptions, run } from "../support/run-program.ts";

const RESULT: RebuildResult = {
  swapped: true,
  records: 40,
  aliases: 1,
  sources: {
    old_store: { records: 30, duplicates: 0 },
    archive: { records: 8, duplicates: 30 },
    spilled: { records: 1, duplicates: 0 },
    pending: { records: 1, duplicates: 0 },
  },
  old_store: { state: "damaged", records: 50, aliases: 1, ids_known: "all", unproved_rows: 2 },
  archive: { files: 2, skipped_stretches: 1, skipped_bytes: 4_000 },
  forgotten: 0,
  unread_envelopes: 1,
  conflicts: { count: 1, ulids: ["01JQ7Z8X9YABCDEFGHJKMNPQRS"] },
  missing: {
    count: 25,
    ulids: Array.from({ length: 20 }, (_, n) => `01JQ7Z8X9YABCDEFGHJKMNPQ${10 + n}`),
  },
  missing_unnamed: 3,
  unaccounted: { count: 0, ulids: [] },
  kept: "memspool.db.before-20260301T093000000Z",
  ms: 1_200,
};

describe("memspool rebuild", () => {
  it("I6: tells what came from where, what is missing, and where the old store is", async () => {
    const app = makeFakeApp();
    app.rebuild = async () => RESULT;
    const { exitCode, stdout } = await run(["rebuild", "--accept-missing"], {
      home: freshDirectory(),
      app,
    });
    expect(exitCode).toBe(0);
    for (const words of [
      "40 records in the new store",
      "done archive  8 records, 30 known before",
      "was damaged",
      "2 rows of it did not match",
      "1 damaged place of the done archive skipped",
      "1 envelope in queue or overflow could not be read",
      "1 conflicts, the first text kept:",
      "25 of the old store missing:",
      "01JQ7Z8X9YABCDEFGHJKMNPQ29",
      "and 5 more",
      "3 more missing",
      "kept beside it as memspool.db.before-20260301T093000000Z",
    ]) {
      expect(stdout).toContain(words);
    }
    expect(stdout).not.toContain("found nowhere");
  });

  it("I6: hands on its options, and answers --json with the whole report", async () => {
    const app = makeFakeApp();
    const asked: object[] = [];
    app.rebuild = async ({ dryRun, acceptMissing, onWaiting, onProgress }) => {
      asked.push({ dryRun, acceptMissing });
      onWaiting?.();
      onProgress?.({ done: 1, total: 2 });
      return { ...RESULT, swapped: false, kept: null };
    };
    const home = freshDirectory();
    const { json, stderr } = await run(["rebuild", "--dry-run", "--json"], { home, app });
    expect(json()).toEqual({ ...RESULT, swapped: false, kept: null });
    expect(stderr).toContain("waiting");
    const { stdout } = await run(["rebuild", "--accept-missing"], { home, app });
    expect(stdout).toContain("Nothing was changed");
    expect(asked).toEqual([
      { dryRun: true, acceptMissing: undefined },
      { dryRun: undefined, acceptMissing: true },
    ]);
  });

  it("I6: a store that would lack records is an error, exit code 1", async () => {
    const app = makeFakeApp();
    app.rebuild = () =>
      Promise.reject(
        new MemspoolError("REBUILD_INCOMPLETE", "It lacks records.", { details: { missing: 2 } }),
      );
    const { exitCode, stderr, stdout } = await run(["rebuild"], { home: freshDirectory(), app });
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("REBUILD_INCOMPLETE: It lacks records.");
  });
});

describe("the real one", () => {
  const options = (home: string): RunOptions => ({
    home,
    app: { createApp, restore, serve: async () => 0 },
  });

  it("I6: brings everything back after the store was destroyed, and counts what the ledger names", async () => {
    const home = freshDirectory();
    for (const text of ["first needle", "second needle"]) {
      expect((await run(["capture", text], options(home))).exitCode).toBe(0);
    }
    expect((await run(["drain"], options(home))).exitCode).toBe(0);
    const file = join(home, "store", "memspool.db");
    writeFileSync(file, "no database at all");
    const { exitCode, json } = await run(["rebuild", "--json"], options(home));
    expect(exitCode).toBe(0);
    const result = json() as RebuildResult;
    expect(result).toMatchObject({
      swapped: true,
      records: 2,
      old_store: { state: "unreadable" },
      unaccounted: { count: 0 },
    });
    expect(existsSync(join(home, "store", result.kept ?? ""))).toBe(true);
    expect((await run(["search", "needle", "--json"], options(home))).json()).toMatchObject({
      results: [{}, {}],
    });
  });

  it("I6: records that the ledger names and nothing holds are not passed over", async () => {
    const home = freshDirectory();
    const captured = await run(["capture", "a needle", "--json"], options(home));
    const { ulid } = captured.json() as { ulid: string };
    await run(["drain"], options(home));
    writeFileSync(join(home, "store", "memspool.db"), "no database at all");
    const done = join(home, "queue", "done");
    for (const name of readdirSync(done)) writeFileSync(join(done, name), "");
    const refused = await run(["rebuild", "--json"], options(home));
    expect(refused.exitCode).toBe(1);
    expect(refused.json()).toMatchObject({
      error: { code: "REBUILD_INCOMPLETE", details: { unaccounted: 1, unaccounted_ulids: [ulid] } },
    });
    // What lies in quarantine is accounted for.
    writeFileSync(join(home, "queue", "quarantine", `pending-${ulid}.json`), "{}");
    expect((await run(["rebuild"], options(home))).exitCode).toBe(0);
  });
});
