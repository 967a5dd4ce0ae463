/** The script that turns the rigs' rows into the table of docs/DURABILITY.md. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { CrashRow } from "../support/crash-table.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const ROW: CrashRow = {
  rig: "really full",
  operation: "capture",
  fault: "8 inodes",
  tried: 1_500,
  lost: 0,
  altered: 0,
  twice: 0,
};
const CONTROL: CrashRow = { ...ROW, fault: "a blind writer", lost: 3, caught: true };
const DOCUMENT =
  "# Before\n\n<!-- crash table: begin, written by npm run test:crash -->\nold\n" +
  "<!-- crash table: end -->\n\nafter\n";

function report(rows: readonly CrashRow[]) {
  const directory = freshDirectory();
  const [table, document] = [join(directory, "rows"), join(directory, "document.md")];
  writeFileSync(table, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  writeFileSync(document, DOCUMENT);
  const args = ["scripts/crash-report.mjs", "--rows", table, "--document", document];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status, stderr, text: readFileSync(document, "utf8") };
}

it("writes sums and controls between the markers, with the circumstances", () => {
  const { status, text } = report([ROW, CONTROL, { ...ROW, tried: 2 }]);
  expect(status).toBe(0);
  expect(text).toContain("| really full | capture | 8 inodes | 1,502 | 0 | 0 | 0 |");
  expect(text).toContain("| really full | capture | a blind writer | 1,500 | yes |");
  expect(text).toMatch(/\d{4}-\d\d-\d\d, long form, commit [0-9a-f]+.*Node v\d+/);
  expect(text).toMatch(/^# Before\n[\s\S]*\nafter\n$/);
  expect(text).not.toContain("\nold\n");
});

it.each<[string, CrashRow[]]>([
  ["a lost record", [{ ...ROW, lost: 1 }]],
  ["an altered record", [{ ...ROW, altered: 1 }]],
  ["a doubled record", [{ ...ROW, twice: 1 }]],
  ["a broken variant that nobody noticed", [ROW, { ...CONTROL, caught: false }]],
  ["no rows at all", []],
])("writes nothing and fails for %s", (_what, rows) => {
  const { status, text, stderr } = report(rows);
  expect(status).toBe(1);
  expect(stderr).not.toBe("");
  expect(text).toBe(DOCUMENT);
});
