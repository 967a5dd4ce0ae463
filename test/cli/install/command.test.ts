/** What the command says, asks and leaves undone. */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { expect, it } from "vitest";
import { BUILT_ENTRY, runBuilt } from "../../support/built-program.ts";
import { ENTRY, NODE, put, scene, textOf } from "./scene.ts";

const OLD = '{\n  "mcpServers": {\n    "x": {}\n  }\n}\n';

interface Answer {
  readonly client: string;
  readonly scope: string;
  readonly uninstall: boolean;
  readonly dry_run: boolean;
  readonly files: { path: string; part: string; action: string; backup?: string }[];
  readonly diff: string;
}

it("C2: a dry run shows the difference and touches nothing", async () => {
  const { run, fileOf, user } = scene();
  const file = fileOf("claude-code");
  put(file, OLD);
  const { exitCode, stdout, stderr } = await run(["claude-code", "--dry-run"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toContain(`--- ${file}\n+++ ${file}\n@@ -1,5 +1,10 @@\n`);
  expect(stdout).toContain('+    "memspool": {\n');
  expect(stdout).toContain(`--- /dev/null\n+++ ${fileOf("claude-code", "hooks")}\n`);
  expect(stdout).toContain("Nothing was written");
  expect(textOf(file)).toBe(OLD);
  expect(readdirSync(user).sort()).toEqual([".claude.json", "work"]);
});

it("C2: a dry run of an undoing takes nothing out", async () => {
  const { run, fileOf } = scene();
  await run(["codex"]);
  const installed = textOf(fileOf("codex"));
  const { stdout } = await run(["codex", "--uninstall", "--dry-run"]);
  expect(stdout).toContain("-[mcp_servers.memspool]\n");
  expect(textOf(fileOf("codex"))).toBe(installed);
});

it("C2: --json gives what was done with each file, and the difference", async () => {
  const { run, fileOf } = scene();
  const file = fileOf("claude-code");
  const hooks = fileOf("claude-code", "hooks");
  put(file, OLD);
  const first = (await run(["claude-code", "--json"])).json() as Answer;
  expect(first).toMatchObject({
    client: "claude-code",
    scope: "user",
    uninstall: false,
    dry_run: false,
    files: [
      { path: file, part: "server", action: "changed" },
      { path: hooks, part: "hooks", action: "created" },
    ],
  });
  expect(textOf(first.files[0]?.backup ?? "")).toBe(OLD);
  expect(first.files[1]).not.toHaveProperty("backup");
  expect(first.diff).toContain(`+++ ${hooks}`);
  const second = (await run(["claude-code", "--json"])).json() as Answer;
  expect(second.files.map(({ action }) => action)).toEqual(["unchanged", "unchanged"]);
  expect(second.diff).toBe("");
  const third = (await run(["claude-code", "--json", "--uninstall"])).json() as Answer;
  expect(third.files.map(({ action }) => action)).toEqual(["changed", "removed"]);
  expect(third.uninstall).toBe(true);
});

it("C2: says what to do next and how to check", async () => {
  const { run } = scene();
  const { stdout } = await run(["claude-code"]);
  expect(stdout).toContain("Start a new session of Claude Code");
  expect(stdout).toContain("/mcp");
  expect((await run(["claude-code", "--uninstall"])).stdout).toContain("Restart Claude Code");
});

it("C2: on a terminal it asks first, and colours the difference", async () => {
  const answers: [string, boolean][] = [
    ["\n", true],
    ["y\n", true],
    ["n\n", false],
    ["what\n", false],
    ["", false],
  ];
  for (const [answer, written] of answers) {
    const { run, fileOf } = scene();
    const stdin = Object.assign(Readable.from([Buffer.from(answer)]), { isTTY: true });
    const { stdout, stderr, exitCode } = await run(["cursor"], {
      stdin,
      terminal: true,
      env: { TERM: "xterm" },
    });
    expect(exitCode).toBe(0);
    expect(stderr).toContain("Write this? [Y/n]");
    expect(stdout).toContain('\u001b[32m+    "memspool": {\u001b[39m');
    expect(existsSync(fileOf("cursor"))).toBe(written);
    if (!written) expect(stdout).toContain("Nothing was written.");
  }
});

it("C2: it does not ask with --yes, for a dry run, or where nothing changes", async () => {
  const { run, fileOf } = scene();
  const terminal = { terminal: true, env: { TERM: "xterm" } };
  expect((await run(["cursor", "--dry-run"], terminal)).stderr).toBe("");
  expect((await run(["cursor", "--yes"], terminal)).stderr).toBe("");
  expect(existsSync(fileOf("cursor"))).toBe(true);
  expect((await run(["cursor"], terminal)).stderr).toBe("");
});

it("C2: in a file without line breaks it shows where the line changes, and not all of it", async () => {
  const { run, fileOf } = scene();
  const file = fileOf("claude-code");
  put(file, JSON.stringify({ history: "h".repeat(5_000), mcpServers: {}, z: "z".repeat(5_000) }));
  const { stdout } = await run(["claude-code", "--no-hooks"]);
  expect(stdout).toContain('"memspool":{');
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThan(400);
});

it("C2: --home and --project become part of the entry, the home as an absolute path", async () => {
  const { run, fileOf, user, project } = scene();
  await run(["cursor", "--home", "data", "--project", "atlas"]);
  expect(JSON.parse(textOf(fileOf("cursor"))).mcpServers.memspool.args).toEqual([
    ...[ENTRY, "serve", "--home", join(project, "data"), "--project", "atlas"],
  ]);
  await run(["zed", "--home", "~/memory"]);
  expect(textOf(fileOf("zed"))).toContain(`"--home", "${join(user, "memory")}"`);
});

it("C2: a data directory of the environment alone is warned of", async () => {
  const { run } = scene();
  const env = { MEMSPOOL_HOME: "/srv/memory" };
  expect((await run(["cursor"], { env })).stderr).toContain("Give --home");
  expect((await run(["zed", "--home", "/srv/memory"], { env })).stderr).toBe("");
});

it("C2: --no-hooks leaves the hooks' file alone", async () => {
  const { run, fileOf } = scene();
  await run(["claude-code", "--no-hooks"]);
  expect(existsSync(fileOf("claude-code", "hooks"))).toBe(false);
});

it("C2: --file and --hooks-file name other places, and need no HOME", async () => {
  const { run, project, fileOf } = scene();
  const env = { HOME: "" };
  expect(await run(["claude-code", "--file", "a/b.json"], { env })).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(textOf(join(project, "a/b.json"))).mcpServers.memspool.command).toBe(NODE);
  expect(readdirSync(join(project, "a"))).toEqual(["b.json"]);
  await run(["claude-code", "--file", "a/b.json", "--hooks-file", "a/h.json"], { env });
  expect(Object.keys(JSON.parse(textOf(join(project, "a/h.json"))).hooks)).toHaveLength(3);
  expect(existsSync(fileOf("claude-code"))).toBe(false);
});

it("C2: --scope project writes into the directory it is called in", async () => {
  const { run, project, fileOf } = scene();
  await run(["claude-code", "--scope", "project"]);
  expect(readdirSync(project).sort()).toEqual([".claude", ".mcp.json"]);
  expect(existsSync(fileOf("claude-code"))).toBe(false);
});

it("C2: without a client it lists them: whether they are here, and have memspool", async () => {
  const { run, fileOf, user } = scene();
  await run(["claude-code", "--no-hooks"]);
  mkdirSync(join(user, ".cursor"));
  put(fileOf("gemini"), "{ broken");
  put(fileOf("zed"), '{"context_servers": {"memspool": {"command": "other"}}}');
  await run(["codex"], { entry: "/elsewhere/dist/main.js" });
  const { json, exitCode } = await run(["--json"], { entry: ENTRY });
  expect(exitCode).toBe(0);
  const { clients } = json() as { clients: { client: string }[] };
  const rows = Object.fromEntries(clients.map((row) => [row.client, row]));
  expect(Object.keys(rows)).toHaveLength(7);
  expect(rows["claude-code"]).toMatchObject({ present: true, server: "current", hooks: "absent" });
  expect(rows["claude-desktop"]).toMatchObject({ present: false, server: "absent" });
  expect(rows.cursor).toMatchObject({ present: true, server: "absent" });
  expect(rows.codex).toMatchObject({ present: true, server: "outdated", hooks: "outdated" });
  expect(rows.gemini).toMatchObject({ server: "unreadable" });
  expect(rows.zed).toMatchObject({ server: "foreign", file: fileOf("zed") });
  const { stdout } = await run([]);
  for (const word of ["claude-desktop", "another program", "unreadable file"]) {
    expect(stdout).toContain(word);
  }
});

it("C2: what it writes starts a server that answers", async () => {
  const { user } = scene();
  const installed = await runBuilt(["install", "claude-code", "--json"], {
    home: join(user, "memory"),
    env: { HOME: user },
  });
  expect(installed.exitCode).toBe(0);
  const { mcpServers } = JSON.parse(textOf(join(user, ".claude.json")));
  expect(mcpServers.memspool).toEqual({
    type: "stdio",
    command: process.execPath,
    args: [BUILT_ENTRY, "serve"],
  });
  const { command, args } = mcpServers.memspool;
  const transport = new StdioClientTransport({
    command,
    args,
    env: { MEMSPOOL_HOME: join(user, "memory") },
  });
  const client = new Client({ name: "test", version: "0.0.0" });
  await client.connect(transport);
  const { tools } = await client.listTools();
  await client.close();
  expect(tools.map(({ name }) => name)).toContain("memory_capture");
});
