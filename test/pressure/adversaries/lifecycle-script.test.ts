/** The script that plays the life of a full spool for docs/PRESSURE.md, in its short form. */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { freshDirectory } from "../../support/fresh-directory.ts";

function play(dir: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ["scripts/pressure-lifecycle.mjs", "--short"], {
      env: { PATH: process.env.PATH, TMPDIR: dir },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        said[stream] += chunk;
      });
    }
    child.on("close", (code) => done({ code, ...said }));
  });
}

it("P2: the script plays soft, hard, trim, recovery and a store that is away, and cleans up", async () => {
  const dir = freshDirectory();
  const { code, stdout, stderr } = await play(dir);
  expect(stderr).toBe("");
  expect(code, stdout).toBe(0);
  const told = ['from="normal" to="soft"', 'from="soft" to="hard"', "archive_trimmed"];
  const places = [...told, "store_unavailable", "store_recovered"].map((each) =>
    stdout.indexOf(each),
  );
  expect(Math.min(...places), stdout).toBeGreaterThan(0);
  expect([...places].sort((one, other) => one - other)).toEqual(places);
  expect(stdout).toMatch(
    /\| hard: low priority, then normal \| [\d.]+ \| 8 \| 0 \| 0 \| 8 \|.* hard \|/,
  );
  const [, acknowledged, stored] =
    /(\d+) acknowledged, (\d+) of them in the store/.exec(stdout) ?? [];
  expect(stored).toBe(acknowledged);
  expect(readdirSync(dir)).toEqual([]);
}, 90_000);
