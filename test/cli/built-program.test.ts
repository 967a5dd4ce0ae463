/** The built program as real processes on a real directory. */
import { once } from "node:events";
import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BUILT_ENTRY, type BuiltRun, runBuilt, spawnBuilt } from "../support/built-program.ts";
import { run as runHere } from "../support/run-program.ts";

let parent: string;
let home: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "memspool-built-"));
  home = join(parent, "home");
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const run = (argv: readonly string[], options: Partial<BuiltRun> = {}) =>
  runBuilt(argv, { home, ...options });

it("C1: captures, finds, prints word for word and drains, each in a process of its own", async () => {
  const text = "\ufeffNFC \u00e9 NFD e\u0301 \u0000\r\n  \u{1f375} staging port 5433\n";
  const captured = await run(["capture", "--session", "s1", "--json"], { stdin: text });
  expect(captured.stderr).toBe("");
  const { ulid } = JSON.parse(captured.stdout.toString()) as { ulid: string };
  const search = async () => {
    const { stdout } = await run(["search", "staging", "port", "--json"]);
    const { results } = JSON.parse(stdout.toString()) as { results: { ulid: string }[] };
    return results.map((hit) => hit.ulid);
  };
  expect(await search()).toEqual([ulid]);
  const drained = await run(["drain", "--json"]);
  expect(JSON.parse(drained.stdout.toString())).toMatchObject({ drained: 1, remaining: 0 });
  expect(drained.exitCode).toBe(0);
  expect(await search()).toEqual([ulid]);
  const { stdout } = await run(["get", ulid]);
  expect(stdout.equals(Buffer.from(text))).toBe(true);
  const status = await run(["status", "--json"]);
  expect(JSON.parse(status.stdout.toString())).toMatchObject({
    data_dir: home,
    queue: { depth: 0, quarantined: 0 },
  });
});

it("X1: everything is the owner's alone, also under a loose umask", async () => {
  await run(["capture", "x"], { umask: 0 });
  await run(["drain"], { umask: 0 });
  await run(["capture", "y"], { umask: 0 });
  const modes = new Map<string, number>();
  const walk = (path: string) => {
    const facts = lstatSync(path);
    modes.set(path.slice(home.length), facts.mode & 0o777);
    expect(facts.isSymbolicLink()).toBe(false);
    if (facts.isDirectory()) for (const name of readdirSync(path)) walk(join(path, name));
    expect([path, facts.mode & 0o777]).toEqual([path, facts.isDirectory() ? 0o700 : 0o600]);
  };
  walk(home);
  expect(modes.size).toBeGreaterThan(6);
  const { stdout } = await run(["doctor", "--json"]);
  const { checks } = JSON.parse(stdout.toString()) as {
    checks: { name: string; status: string }[];
  };
  expect(checks.find(({ name }) => name === "directory modes")?.status).toBe("ok");
});

it("H1: the doctor asks the real store for its settings and integrity", async () => {
  await run(["capture", "x"]);
  await run(["drain"]);
  const { stdout } = await run(["doctor", "--json"]);
  const { checks } = JSON.parse(stdout.toString()) as {
    checks: { name: string; status: string; detail: string }[];
  };
  const store = checks.find(({ name }) => name === "store");
  expect(store?.status).toBe("ok");
  expect(store?.detail).toMatch(/wal.*full/is);
  expect(readdirSync(join(home, "queue")).filter((name) => name.startsWith(".tmp"))).toEqual([]);
});

it("P11: a bad variable stops the server before it says anything on stdout", async () => {
  const { exitCode, stdout, stderr } = await run([], { env: { MEMSPOOL_INGEST_POLL_MS: "1" } });
  expect({ exitCode, stdout: stdout.toString() }).toEqual({ exitCode: 2, stdout: "" });
  expect(stderr).toMatch(/^error CONFIG_INVALID: ingest\.pollMs is "1" .*from 50 to 2000/);
  expect(readdirSync(parent)).toEqual([]);
});

it("Q13: looking into a data directory that is not there does not make it", async () => {
  const looks = [["status"], ["doctor"], ["quarantine"], ["search", "word"], ["recent"]];
  for (const argv of [...looks, ["get", "01JQ7Z8X9YABCDEFGHJKMNPQRS"]]) {
    await run(argv, { home: join(parent, "absent") });
  }
  expect(readdirSync(parent)).not.toContain("absent");
});

it("X2: a reader that leaves early ends the program quietly", async () => {
  const captured = await run(["capture", "--json"], { stdin: "x".repeat(1_000_000) });
  const { ulid } = JSON.parse(captured.stdout.toString()) as { ulid: string };
  const child = spawnBuilt(["get", ulid], { home });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin?.end();
  child.stdout?.destroy();
  const [code] = await once(child, "close");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

it("C1: the demo loses nothing, answers every question and leaves nothing behind", async () => {
  const { exitCode, stdout, stderr } = await run(["demo", "--json"], { env: { TMPDIR: parent } });
  expect(stderr).toBe("");
  const result = JSON.parse(stdout.toString()) as Record<string, unknown>;
  expect(result).toMatchObject({ passed: true, lost: 0, altered: 0, twice: 0, state: "ok" });
  expect(result.acknowledged).toBe(result.stored);
  expect(result.acknowledged).toBeGreaterThan(100);
  expect(result.repeated).toBeGreaterThan(0);
  expect(exitCode).toBe(0);
  expect(readdirSync(parent)).toEqual([]);
});

it("C1: the demo tells a person what was asked, answered and lost", async () => {
  const { exitCode, stdout, stderr } = await runHere(["demo"], { home, entry: BUILT_ENTRY });
  expect(stderr).toBe("");
  expect(stdout).toMatch(/SIGKILL hit server 2 \(process \d+\) after \d+ receipts/);
  expect(stdout).toContain("«raven»");
  expect(stdout).toMatch(
    /acknowledged +\d+\n +in the store +\d+\n +lost +0\n +altered +0\n +twice +0\n/,
  );
  expect(exitCode).toBe(0);
});

it("C1: a demo whose servers can not start says why and fails", async () => {
  const entry = join(parent, "dist", "main.js");
  const { exitCode, stderr } = await runHere(["demo"], { home, entry });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error [A-Z]+: /);
});
