/** Files that can not be edited are left alone, whatever is wrong with them. */
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { CLIENT_IDS } from "../../../src/cli/install/client-ids.ts";
import { TAKES_COMMENTS } from "./filled-files.ts";
import { put, scene, textOf } from "./scene.ts";

interface Broken {
  readonly what: string;
  readonly text: string;
  readonly line?: number;
  readonly column?: number;
}

const mapOf = (client: string) =>
  client === "vscode" ? "servers" : client === "zed" ? "context_servers" : "mcpServers";

const brokenJson = (client: string): Broken[] => [
  { what: "a missing brace", text: '{\n  "a": 1\n', line: 3, column: 1 },
  { what: "a stray word", text: '{\n  "a": yes\n}\n', line: 2, column: 8 },
  { what: "a missing comma", text: '{\n  "a": 1\n  "b": 2\n}\n', line: 3, column: 3 },
  { what: "two documents", text: '{}\n{"b": 1}\n', line: 2, column: 1 },
  { what: "half a string", text: '{"a": "b', line: 1, column: 7 },
  { what: "a list", text: "[]\n", line: 1, column: 1 },
  { what: "a number", text: "42", line: 1, column: 1 },
  { what: "the map as a list", text: `{\n  "${mapOf(client)}": []\n}\n`, line: 2 },
  { what: "the map as null", text: `{"${mapOf(client)}": null}`, line: 1 },
  {
    what: "the map twice",
    text: `{\n  "${mapOf(client)}": {},\n  "${mapOf(client)}": {}\n}\n`,
    line: 3,
    column: 3,
  },
  {
    what: "the entry twice",
    text: `{"${mapOf(client)}": {"memspool": {}, "memspool": {}}}`,
    line: 1,
  },
  ...(TAKES_COMMENTS.includes(client)
    ? []
    : [
        { what: "a comment", text: '{\n  // no\n  "a": 1\n}\n', line: 2, column: 3 },
        { what: "a trailing comma", text: '{\n  "a": 1,\n}\n', line: 3, column: 1 },
      ]),
];

const BROKEN_TOML: Broken[] = [
  { what: "a value that is missing", text: 'model = "a"\nb =\n', line: 2 },
  { what: "an open string", text: 'model = "a\n', line: 1 },
  { what: "a key twice", text: "a = 1\na = 2\n", line: 2 },
  { what: "a table twice", text: "[a]\n[b]\n[a]\n", line: 3 },
  { what: "servers that are no table", text: 'mcp_servers = "none"\n' },
  { what: "servers that are a list", text: "mcp_servers = [1]\n" },
  { what: "servers in one inline table", text: "mcp_servers = { a = { command = 'b' } }\n" },
];

describe.each(CLIENT_IDS)("%s", (client) => {
  it.each(client === "codex" ? BROKEN_TOML : brokenJson(client))(
    "C2: refuses a file with $what, and says where",
    async ({ text, line, column }) => {
      const { run, fileOf } = scene();
      const file = fileOf(client);
      put(file, text);
      const { exitCode, json } = await run([client, "--json"]);
      expect(exitCode).toBe(1);
      const { error } = json() as { error: { code: string; message: string; details: object } };
      expect(error.code).toBe("CLIENT_CONFIG_INVALID");
      expect(error.details).toMatchObject({
        file,
        ...(line && { line }),
        ...(column && { column }),
      });
      if (line !== undefined) expect(error.message).toContain(`at line ${line}, column `);
      expect(textOf(file)).toBe(text);
      // Nothing else was written either, such as the hooks of the same client.
      expect(readdirSync(dirname(file))).toEqual(
        expect.not.arrayContaining([expect.stringMatching(/backup|\.tmp|hooks/)]),
      );
    },
  );

  it("C2: refuses what is no text", async () => {
    const { run, fileOf } = scene();
    const file = fileOf(client);
    put(file, "");
    const bytes = Buffer.from([0x7b, 0xff, 0xfe, 0x7d]);
    writeFileSync(file, bytes);
    const { stderr } = await run([client]);
    expect(stderr).toMatch(/^error CLIENT_CONFIG_INVALID: .*not text in UTF-8/);
  });

  it("C2: refuses a directory in the file's place", async () => {
    const { run, fileOf } = scene();
    mkdirSync(fileOf(client), { recursive: true });
    const { exitCode, stderr } = await run([client]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error CLIENT_CONFIG_UNUSABLE: .*is a directory/);
  });
});

it.each(["claude-code", "codex"])(
  "C2: broken hooks of %s keep its server from being written",
  async (client) => {
    for (const text of [
      '{"hooks": []}',
      '{"hooks": {"Stop": {}}}',
      '{"hooks": {"Stop": [}}',
      '{"hooks": {}, "hooks": {}}',
    ]) {
      const { run, fileOf } = scene();
      put(fileOf(client, "hooks"), text);
      const { stderr } = await run([client]);
      expect(stderr).toMatch(/^error CLIENT_CONFIG_INVALID: .*line 1, column/);
      expect(existsSync(fileOf(client))).toBe(false);
      expect(textOf(fileOf(client, "hooks"))).toBe(text);
    }
  },
);

it("C2: a link that leads to nothing, or in a circle, is refused", async () => {
  const { run, fileOf, user } = scene();
  const file = fileOf("cursor");
  mkdirSync(dirname(file), { recursive: true });
  symlinkSync(join(user, "gone"), file);
  expect((await run(["cursor"])).stderr).toMatch(
    /^error CLIENT_CONFIG_UNUSABLE: .*leads to no file/,
  );
  const loop = fileOf("zed");
  mkdirSync(dirname(loop), { recursive: true });
  symlinkSync(loop, loop);
  expect((await run(["zed"])).stderr).toContain("ELOOP");
});

it("C2: a file in the place of the client's directory is refused with its errno", async () => {
  const { run, user } = scene();
  put(join(user, ".cursor"), "not a directory");
  const { stderr, exitCode } = await run(["cursor"]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error CLIENT_CONFIG_UNUSABLE: .*\(ENOTDIR\)/);
});

it.skipIf(skipUnlessModesBind())("C2: a file that may not be read is refused", async () => {
  const { run, fileOf } = scene();
  const file = fileOf("gemini");
  put(file, "{}");
  chmodSync(file, 0);
  expect((await run(["gemini"])).stderr).toMatch(/^error CLIENT_CONFIG_UNUSABLE: .*\(EACCES\)/);
});

function skipUnlessModesBind(): boolean {
  const free = process.getuid?.() === 0 || process.platform === "win32";
  if (free)
    process.stderr.write("skipped: modes do not bind root; writes.test.ts injects EACCES\n");
  return free;
}

it("C2: a client without a project's file, an unknown one and a missing HOME are wrong calls", async () => {
  const { run } = scene();
  for (const [argv, env, named] of [
    [["claude-desktop", "--scope", "project"], {}, "--scope"],
    [["emacs"], {}, "claude-code, claude-desktop, cursor"],
    [["cursor"], { HOME: "" }, "HOME"],
    [["cursor", "--name", ""], {}, "--name"],
    [["cursor", "--scope", "world"], {}, "user, project"],
  ] as const) {
    const { exitCode, stderr } = await run([...argv], { env });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^error INVALID_ARGUMENT: /);
    expect(stderr).toContain(named);
  }
});

it("C2: refuses to write the path of a package runner's cache", async () => {
  const { run, fileOf } = scene();
  for (const entry of [
    "/home/u/.npm/_npx/1a2b3c/node_modules/memspool/dist/main.js",
    "/home/u/.cache/pnpm/dlx/abc/node_modules/memspool/dist/main.js",
    "C:\\Users\\u\\AppData\\npm-cache\\_npx\\1\\node_modules\\memspool\\dist\\main.js",
  ]) {
    const { exitCode, stderr } = await run(["cursor"], { entry });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error INSTALL_TEMPORARY: .*npm install --global/);
    expect(existsSync(fileOf("cursor"))).toBe(false);
  }
});
