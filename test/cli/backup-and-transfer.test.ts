import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import * as realApp from "../../src/app.ts";
import { UNFINISHED_NAME } from "../../src/memory/backup/unfinished-name.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { run as runAt } from "../support/run-program.ts";

/** A data directory with two records in the queue, and the program on it. */
async function filled() {
  const home = join(freshDirectory(), "home");
  const run = (...argv: string[]) => runAt(argv, { home, app: realApp });
  await run("capture", "one", "--tag", "x");
  await run("capture", "two");
  return { home, run };
}

it("C1: backup and restore say what they did, in words and as JSON; a taken place is exit code 1", async () => {
  const { home, run } = await filled();
  const backup = join(home, "..", "backup");
  const made = await run("backup", backup, "--json");
  expect(made).toMatchObject({ exitCode: 0 });
  expect(made.json()).toMatchObject({ directory: backup, files: 3, skipped: [], checked: true });
  const again = await run("backup", backup);
  expect(again.exitCode).toBe(1);
  expect(again.stderr).toContain("TARGET_EXISTS");
  const other = join(home, "..", "other");
  const restored = await run("restore", backup, "--home", other);
  expect(restored.exitCode).toBe(0);
  expect(restored.stdout).toMatch(/^restored 3 files/);
  expect((await run("export", "--home", other)).stdout).toContain('"surface":"two"');
  expect((await run("restore", backup)).stderr).toContain("TARGET_EXISTS");
  const forced = await run("restore", backup, "--force", "--json");
  const { moved_aside } = forced.json() as { moved_aside: string };
  expect(existsSync(join(moved_aside, "queue"))).toBe(true);
});

it("C1: a mistyped place of a backup or an export is named, and what to do about it", async () => {
  const { home, run } = await filled();
  const gone = join(home, "..", "gone");
  const restored = await run("restore", gone);
  expect(restored.exitCode).toBe(1);
  expect(restored.stderr).toContain(`BACKUP_INVALID: ${gone} is no whole backup`);
  const exported = await run("export", join(gone, "e.ndjson"));
  expect(exported.exitCode).toBe(1);
  expect(exported.stderr).toContain("Its directory is not there: make it");
});

it("S7: nothing is opened in a data directory whose restore was cut short", async () => {
  const { home, run } = await filled();
  writeFileSync(join(home, UNFINISHED_NAME), "{}");
  const failed = await run("capture", "three");
  expect(failed.exitCode).toBe(1);
  expect(failed.stderr).toContain("DATA_DIR_UNUSABLE");
  rmSync(join(home, UNFINISHED_NAME));
  expect((await run("capture", "three")).exitCode).toBe(0);
});

it("C1: export writes lines to stdout or a file, by the filters of search", async () => {
  const { home, run } = await filled();
  const lines = (await run("export")).stdout.trimEnd().split("\n");
  expect(lines.map((line) => Object.keys(JSON.parse(line))[0])).toEqual([
    "memspool_export",
    "ulid",
    "ulid",
  ]);
  expect((await run("export", "-", "--tag", "x")).stdout).not.toContain("two");
  const file = join(home, "..", "e.ndjson");
  expect((await run("export", file, "--json")).json()).toMatchObject({ exported: 2 });
  expect(readFileSync(file, "utf8").split("\n").slice(1)).toEqual([...lines.slice(1), ""]);
  expect((await run("export", file)).stderr).toContain("TARGET_EXISTS");
  expect((await run("export", "--json")).json()).toMatchObject({
    error: { code: "INVALID_ARGUMENT" },
  });
});

it("C1: import takes a file or stdin and names the lines it could not take", async () => {
  const { home, run } = await filled();
  const { stdout } = await run("export");
  const other = join(home, "..", "other");
  const importing = (text: string, ...options: string[]) =>
    runAt(["import", "-", ...options], { home: other, app: realApp, stdin: text });
  expect((await importing(stdout, "--json")).json()).toMatchObject({ captured: 2 });
  expect((await importing(stdout)).stdout).toContain("2 were here already");
  const odd = '{"type":"relation","from":"a","to":"b","relationType":"r"}\n{\n';
  const taken = await importing(odd, "--tag", "t");
  expect(taken.exitCode).toBe(1);
  expect(taken.stdout).toContain("imported 1 record from 2 lines (server-memory)");
  expect(taken.stderr).toContain("line 2 was not taken whole: is not JSON");
  expect((await importing(odd, "--strict")).stderr).toContain("IMPORT_INVALID");
  expect((await run("import", join(home, "gone"))).exitCode).toBe(2);
  expect((await run("import", "-")).exitCode).toBe(2);
});
