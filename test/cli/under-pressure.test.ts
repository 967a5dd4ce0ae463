/** Commands that capture, without a server and under pressure. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { runBuilt, spawnBuilt } from "../support/built-program.ts";
import { FilledSpool } from "../support/filled-spool.ts";

const GRAPH = ["tea", "coffee"]
  .map((name) =>
    JSON.stringify({ type: "entity", name, entityType: "drink", observations: [`${name} is hot`] }),
  )
  .join("\n");

it("P2: capture waits for room, and says that there is none", async () => {
  const spool = new FilledSpool();
  spool.fill(1_024);
  const run = { home: spool.home, env: { ...spool.env, MEMSPOOL_SPOOL_WAIT_MS: "300" } };
  const refused = await runBuilt(["capture", "tea"], run);
  expect([refused.exitCode, refused.stdout.toString()]).toEqual([1, ""]);
  expect(refused.stderr).toMatch(/BACKPRESSURE: There is no room on disk.*1\.0 of 1\.0 MiB/);
  expect(spool.pending().size).toBe(0);
  spool.fill(500);
  expect((await runBuilt(["capture", "tea"], run)).exitCode).toBe(0);
  expect([...spool.pending().values()]).toEqual(["tea"]);
});

it("P2: an import waits, says so once, and goes on when there is room", async () => {
  const spool = new FilledSpool();
  spool.fill(1_024);
  const file = join(spool.home, "..", "memory.jsonl");
  writeFileSync(file, GRAPH);
  const env = { ...spool.env, MEMSPOOL_SPOOL_WAIT_MS: "100" };
  const child = spawnBuilt(["import", file, "--json"], { home: spool.home, env });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
    if (chunk.includes("waiting:")) spool.empty();
  });
  const exitCode = await new Promise((resolve) => child.on("close", resolve));
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ captured: 2, skipped_count: 0 });
  expect(stderr.match(/waiting: there is no room on disk/g)).toHaveLength(1);
  expect(stderr).toContain("going on");
});

it("P2: an import that waits is ended by Ctrl-C", async () => {
  const spool = new FilledSpool();
  spool.fill(1_024);
  const file = join(spool.home, "..", "memory.jsonl");
  writeFileSync(file, GRAPH);
  const env = { ...spool.env, MEMSPOOL_SPOOL_WAIT_MS: "100" };
  const child = spawnBuilt(["import", file], { home: spool.home, env });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
    if (chunk.includes("waiting:")) child.kill("SIGINT");
  });
  const exitCode = await new Promise((resolve) => child.on("close", resolve));
  expect(exitCode).toBe(1);
  expect(stderr).toContain("It was interrupted");
  expect(spool.pending().size).toBe(0);
});
