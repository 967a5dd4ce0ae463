/** How a client's file is replaced: whole or not at all, with its likeness, and with a backup. */
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfigFile, replaceConfigFile } from "../../../src/cli/install/config-file.ts";
import { BUILT_ENTRY } from "../../support/built-program.ts";
import { freshDirectory } from "../../support/fresh-directory.ts";
import { needStrace, traceNode } from "../../support/strace.ts";
import { put, scene, textOf } from "./scene.ts";

const OLD = '{\n  "mcpServers": {\n    "x": {}\n  }\n}\n';
const STAMP = "20260301T093000000Z";

function backups(file: string): string[] {
  const names = readdirSync(dirname(file));
  return names.filter((name) => name.startsWith(`${basename(file)}.memspool-backup-`));
}

it("C2: keeps what was there in a backup beside it, and says where", async () => {
  const { run, fileOf } = scene();
  const file = fileOf("cursor");
  put(file, OLD);
  const { stdout } = await run(["cursor"]);
  const [name = ""] = backups(file);
  expect(textOf(join(dirname(file), name))).toBe(OLD);
  expect(stdout).toContain(name);
  expect(name).toMatch(/^mcp\.json\.memspool-backup-\d{8}T\d{9}Z$/);
});

it("C2: an undoing keeps a backup, too", async () => {
  const { run, fileOf } = scene();
  const file = fileOf("cursor");
  await run(["cursor"]);
  const installed = textOf(file);
  await run(["cursor", "--uninstall"]);
  expect(existsSync(file)).toBe(false);
  expect(backups(file).map((name) => textOf(join(dirname(file), name)))).toEqual([installed]);
});

it("C2: keeps five backups, the newest", async () => {
  const file = join(freshDirectory(), "mcp.json");
  for (let at = 0; at < 8; at++) {
    put(file, `${at}`);
    await replaceConfigFile(await readConfigFile(file), "new", `2026030${at + 1}T000000000Z`);
  }
  expect(backups(file).map((name) => textOf(join(dirname(file), name)))).toEqual([
    "3",
    "4",
    "5",
    "6",
    "7",
  ]);
});

it("C2: two backups of one moment do not overwrite each other", async () => {
  const file = join(freshDirectory(), "mcp.json");
  for (const text of ["one", "two"]) {
    put(file, text);
    await replaceConfigFile(await readConfigFile(file), "new", STAMP);
  }
  expect(
    backups(file)
      .map((name) => textOf(join(dirname(file), name)))
      .sort(),
  ).toEqual(["one", "two"]);
});

it("C2: the new file and the backup have the mode of the old one; a new one is the owner's alone", async () => {
  const { run, fileOf } = scene();
  const file = fileOf("cursor");
  put(file, OLD);
  chmodSync(file, 0o640);
  await run(["cursor"]);
  for (const path of [file, join(dirname(file), backups(file)[0] ?? "")]) {
    expect(statSync(path).mode & 0o777).toBe(0o640);
  }
  await run(["zed"]);
  expect(statSync(fileOf("zed")).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(fileOf("zed"))).mode & 0o777).toBe(0o700);
});

it.skipIf(skipUnlessRoot())("C2: root leaves the file to its owner", async () => {
  const { run, fileOf } = scene();
  const file = fileOf("cursor");
  put(file, OLD);
  chownSync(file, 12_345, 23_456);
  await run(["cursor"]);
  expect(statSync(file)).toMatchObject({ uid: 12_345, gid: 23_456 });
});

function skipUnlessRoot(): boolean {
  const bound = process.getuid?.() !== 0;
  if (bound) process.stderr.write("skipped: only root can give a file to somebody else\n");
  return bound;
}

it("C2: a link stays one, and the file that it leads to is written and named", async () => {
  const { run, fileOf, user } = scene();
  const file = fileOf("cursor");
  const real = join(user, "dotfiles", "mcp.json");
  put(real, OLD);
  mkdirSync(dirname(file), { recursive: true });
  symlinkSync("../dotfiles/mcp.json", file);
  const { stderr } = await run(["cursor"]);
  expect(stderr).toContain(`${real} is what changes`);
  expect(lstatSync(file).isSymbolicLink()).toBe(true);
  expect(readlinkSync(file)).toBe("../dotfiles/mcp.json");
  expect(textOf(real)).toContain("memspool");
  expect(backups(real)).toHaveLength(1);
  await run(["cursor", "--uninstall"]);
  expect(textOf(real)).toBe(OLD);
  expect(lstatSync(file).isSymbolicLink()).toBe(true);
});

describe("a file that changes between reading and writing", () => {
  it.each([
    ["grew", "old", "old and more"],
    ["changed within its length", "old", "new"],
    ["appeared", undefined, "fresh"],
  ])("C2: one that %s stays as it is now", async (_what, before, now) => {
    const file = join(freshDirectory(), "mcp.json");
    if (before !== undefined) put(file, before);
    const read = await readConfigFile(file);
    put(file, now);
    if (before !== undefined) utimesSync(file, read.stats?.atime ?? 0, read.stats?.mtime ?? 0);
    await expect(replaceConfigFile(read, "ours", STAMP)).rejects.toMatchObject({
      code: "CLIENT_CONFIG_CHANGED",
      retryable: true,
    });
    expect(textOf(file)).toBe(now);
    expect(readdirSync(dirname(file)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("C2: one that is to be taken away and changed stays", async () => {
    const file = join(freshDirectory(), "mcp.json");
    put(file, "old");
    const read = await readConfigFile(file);
    put(file, "new");
    await expect(replaceConfigFile(read, undefined, STAMP)).rejects.toMatchObject({
      code: "CLIENT_CONFIG_CHANGED",
    });
    expect(textOf(file)).toBe("new");
  });
});

describe("under strace", () => {
  interface Faulted {
    readonly exitCode: number | null;
    readonly stdout: string;
    readonly file: string;
    /** How often the call was made. */
    readonly count: number;
  }

  /** The built program on a file that is there, with one kind of its calls made to fail. */
  async function faulted(call: string, fault: string, client = "cursor"): Promise<Faulted> {
    const { user, fileOf } = scene();
    const file = fileOf(client);
    put(file, OLD);
    if (client === "claude-code") put(fileOf(client, "hooks"), "{}");
    const { child, calls } = traceNode(
      [call],
      [BUILT_ENTRY, "install", client, "--json"],
      join(user, "trace"),
      // One thread for file calls, because strace counts by thread.
      {
        options: ["-e", `inject=${call}:${fault}`],
        env: { HOME: user, UV_THREADPOOL_SIZE: "1" },
      },
    );
    let stdout = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stdin?.end();
    const [exitCode] = (await once(child, "close")) as [number | null];
    return { exitCode, stdout, file, count: calls().length };
  }

  const strays = (file: string) =>
    readdirSync(dirname(file)).filter((name) => name.endsWith(".tmp"));

  // The backup's calls come first, then the new file's, then the one that puts it in place.
  for (const [call, when] of [
    ["fchmod", 1],
    ["fsync", 1],
    ["fchmod", 2],
    ["fsync", 2],
    ["rename", 1],
  ] as const) {
    it(`C2: killed at ${call} ${when}, the old file is there whole, and the next run goes through`, async (context) => {
      needStrace(context);
      const { file, count } = await faulted(call, `signal=SIGKILL:when=${when}`);
      expect(count).toBe(when);
      expect(textOf(file)).toBe(OLD);
      const { run } = scene();
      const { exitCode } = await run(["cursor", "--file", file]);
      expect(exitCode).toBe(0);
      expect(JSON.parse(textOf(file)).mcpServers).toMatchObject({ x: {}, memspool: {} });
    });
  }

  it("C2: killed behind its rename, the new file is there whole", async (context) => {
    needStrace(context);
    // What comes after is the removal of a temporary name that is gone.
    const { file, count } = await faulted("unlink", "signal=SIGKILL:when=1");
    expect(count).toBe(1);
    expect(JSON.parse(textOf(file)).mcpServers).toMatchObject({ x: {}, memspool: {} });
    expect(strays(file)).toEqual([]);
  });

  for (const [call, errno] of [
    ["rename", "EACCES"],
    ["fsync", "EIO"],
    ["fchmod", "EPERM"],
  ] as const) {
    it(`C2: a ${call} that fails with ${errno} leaves the old file and no other`, async (context) => {
      needStrace(context);
      const { exitCode, stdout, file } = await faulted(call, `error=${errno}`);
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        error: { code: "CLIENT_CONFIG_UNUSABLE", details: { errno, file } },
      });
      expect(textOf(file)).toBe(OLD);
      expect(strays(file)).toEqual([]);
    });
  }

  it("C2: a failure at the second of two files says that the first is written", async (context) => {
    needStrace(context);
    const { exitCode, stdout, file } = await faulted("rename", "error=EIO:when=2", "claude-code");
    expect(exitCode).toBe(1);
    const hooks = join(dirname(file), ".claude", "settings.json");
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({
      code: "CLIENT_CONFIG_UNUSABLE",
      details: { errno: "EIO", file: hooks, written: [file] },
    });
    expect(error.message).toContain(`Already written: ${file}`);
    expect(textOf(file)).toContain("memspool");
    expect(textOf(hooks)).toBe("{}");
  });
});
