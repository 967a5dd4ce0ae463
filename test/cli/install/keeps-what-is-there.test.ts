/** Installing into files of every client, and out of them again. */
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { getNodeValue, parseTree } from "jsonc-parser";
import { parse as parseToml } from "smol-toml";
import { describe, expect, it } from "vitest";
import { CLIENT_IDS } from "../../../src/cli/install/client-ids.ts";
import { CLIENTS } from "../../../src/cli/install/client-table.ts";
import { FILLED, FILLED_HOOKS } from "./filled-files.ts";
import { ENTRY, NODE, put, scene, textOf } from "./scene.ts";

const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

/** What the client would read. */
function read(path: string): Record<string, Record<string, unknown>> {
  const text = textOf(path).replace(/^\ufeff/, "");
  if (path.endsWith(".toml")) return plain(parseToml(text));
  return plain(getNodeValue(parseTree(text, [], { allowTrailingComma: true }) as never));
}

const MAP: Readonly<Record<string, string>> = {
  vscode: "servers",
  codex: "mcp_servers",
  zed: "context_servers",
};
const mapOf = (client: string) => MAP[client] ?? "mcpServers";

const TYPED = ["claude-code", "cursor", "vscode"];
const entryOf = (client: string) => ({
  ...(TYPED.includes(client) ? { type: "stdio" } : {}),
  command: NODE,
  args: [ENTRY, "serve"],
});

it("the list of names is that of the clients", () => {
  expect(CLIENTS.map(({ id }) => id)).toEqual([...CLIENT_IDS]);
});

describe.each(CLIENT_IDS)("%s", (client) => {
  it("C2: writes a file that was not there, and uninstalling takes it away again", async () => {
    const { run, fileOf } = scene();
    const file = fileOf(client);
    expect(await run([client, "--no-hooks"])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(read(file)).toEqual({ [mapOf(client)]: { memspool: entryOf(client) } });
    expect(textOf(file)).toMatch(/[}\]]\n$/);
    await run([client, "--uninstall"]);
    expect(existsSync(file)).toBe(false);
  });

  it.each(["", "\n"])("C2: takes a file of %j for one that was not there", async (text) => {
    const { run, fileOf } = scene();
    const file = fileOf(client);
    put(file, text);
    await run([client, "--no-hooks"]);
    expect(read(file)).toEqual({ [mapOf(client)]: { memspool: entryOf(client) } });
    await run([client, "--uninstall"]);
    expect(textOf(file)).toBe(text);
  });

  it.each(FILLED[client] ?? [])(
    "C2: adds its entry to a file with $what, and nothing else changes",
    async ({ text }) => {
      const { run, fileOf } = scene();
      const file = fileOf(client);
      put(file, text);
      const before = read(file);
      expect(await run([client, "--no-hooks"])).toMatchObject({ exitCode: 0, stderr: "" });
      const map = mapOf(client);
      expect(read(file)).toEqual({
        ...before,
        [map]: { ...before[map], memspool: entryOf(client) },
      });
      expect(Object.keys(read(file)).slice(0, Object.keys(before).length)).toEqual(
        Object.keys(before),
      );
      // Taking what is new away leaves every character of before, in order.
      expect(isSubsequence(text, textOf(file))).toBe(true);
      expect(textOf(file).includes("\r\n")).toBe(text.includes("\r\n"));
      if (text.includes("\r\n")) expect(textOf(file)).not.toMatch(/[^\r]\n/);
    },
  );

  it.each(FILLED[client] ?? [])(
    "C2: gives a file with $what back byte for byte, with and without its backup",
    async ({ text }) => {
      const { run, fileOf, places } = scene();
      const file = fileOf(client);
      put(file, text);
      await run([client, "--no-hooks"]);
      const installed = textOf(file);
      await run([client, "--uninstall"]);
      expect(textOf(file)).toBe(text);
      // Without: our part alone is taken out. Only what was empty may be gone with it.
      const edit = CLIENTS.find(({ id }) => id === client)?.targets(places, "user")[0]?.edit;
      const launch = {
        node: NODE,
        script: ENTRY,
        name: "memspool",
        options: [],
        platform: process.platform,
      };
      const bare = (all: string) => all.replace(/^\ufeff/, "");
      const out = edit?.uninstall(bare(installed), { path: file, launch, force: false });
      const empty =
        /"(?:mcpServers|servers|context_servers)": \{\s*(?:\/\/.*\s*|\/\*.*\*\/\s*)?\}|^\{\s*\}\s*$/;
      if (!empty.test(text)) expect(out?.trimEnd()).toBe(bare(text).trimEnd());
    },
  );

  it("C2: installing twice changes nothing the second time, and says so", async () => {
    const { run, fileOf } = scene();
    const file = fileOf(client);
    put(file, FILLED[client]?.[0]?.text ?? "");
    await run([client]);
    const once = textOf(file);
    const names = readdirSync(dirname(file));
    const { stdout, exitCode } = await run([client]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("already installed");
    expect(stdout).not.toContain("@@");
    expect(textOf(file)).toBe(once);
    expect(readdirSync(dirname(file))).toEqual(names);
  });

  it("C2: brings an entry of ours to the new path and keeps what was added to it", async () => {
    const { run, fileOf } = scene();
    const file = fileOf(client);
    put(file, FILLED[client]?.[0]?.text ?? "");
    await run([client, "--no-hooks", "--home", "/srv/memory", "--project", "atlas"]);
    const former = textOf(file);
    await run([client, "--no-hooks"], { entry: "/elsewhere/memspool/dist/main.js" });
    const args = ["/elsewhere/memspool/dist/main.js", "serve", "--home", "/srv/memory"];
    expect(read(file)[mapOf(client)]?.memspool).toEqual({
      ...entryOf(client),
      args: [...args, "--project", "atlas"],
    });
    expect(textOf(file)).toBe(former.replaceAll(ENTRY, "/elsewhere/memspool/dist/main.js"));
    await run([client, "--no-hooks", "--project", "borealis"], { entry: ENTRY });
    expect(read(file)[mapOf(client)]?.memspool).toMatchObject({
      args: [ENTRY, "serve", "--home", "/srv/memory", "--project", "borealis"],
    });
  });

  it("C2: leaves an entry of that name that is not ours, unless told to replace it", async () => {
    const { run, fileOf } = scene();
    const file = fileOf(client);
    const map = mapOf(client);
    const foreign = file.endsWith(".toml")
      ? `[${map}.memspool]\ncommand = "other"\nargs = ["serve"]\n`
      : `{\n  "${map}": {\n    "memspool": {\n      "command": "other",\n      "args": ["serve"]\n    }\n  }\n}\n`;
    put(file, foreign);
    const refused = await run([client, "--no-hooks"]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/^error CLIENT_ENTRY_FOREIGN: /);
    const kept = await run([client, "--no-hooks", "--uninstall"]);
    expect(kept).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining("starts something else"),
    });
    expect(textOf(file)).toBe(foreign);
    await run([client, "--no-hooks", "--force"]);
    expect(read(file)).toEqual({ [map]: { memspool: entryOf(client) } });
  });

  it("C2: takes another name for its entry", async () => {
    const { run, fileOf } = scene();
    await run([client, "--no-hooks", "--name", "old times"]);
    expect(read(fileOf(client))).toEqual({ [mapOf(client)]: { "old times": entryOf(client) } });
    await run([client, "--uninstall", "--name", "old times"]);
    expect(existsSync(fileOf(client))).toBe(false);
  });
});

describe.each(["claude-code", "codex"])("%s", (client) => {
  it.each(FILLED_HOOKS)(
    "C2: adds hooks to a file with $what and gives it back",
    async ({ text }) => {
      const { run, fileOf } = scene();
      const file = fileOf(client, "hooks");
      put(file, text);
      const before = JSON.parse(text);
      await run([client]);
      const group = {
        hooks: [{ type: "command", command: `"${NODE}" "${ENTRY}" hook ${client}`, timeout: 10 }],
      };
      const expected = { ...before, hooks: { ...before.hooks } };
      for (const event of ["SessionStart", "UserPromptSubmit", "Stop"]) {
        expected.hooks[event] = [...(before.hooks?.[event] ?? []), group];
      }
      expect(read(file)).toEqual(expected);
      expect(isSubsequence(text, textOf(file))).toBe(true);
      await run([client, "--uninstall"]);
      expect(textOf(file)).toBe(text);
    },
  );

  it("C2: takes out its hooks alone, from between others that came later", async () => {
    const { run, fileOf } = scene();
    const file = fileOf(client, "hooks");
    await run([client]);
    const settings = JSON.parse(textOf(file));
    const other = { type: "command", command: "say done" };
    settings.hooks.Stop[0].hooks.unshift(other);
    settings.hooks.Stop.push({ hooks: [other] });
    settings.hooks.SessionStart.unshift({ matcher: "resume", hooks: [other] });
    put(file, JSON.stringify(settings, null, 2));
    await run([client, "--uninstall"]);
    expect(JSON.parse(textOf(file))).toEqual({
      hooks: {
        SessionStart: [{ matcher: "resume", hooks: [other] }],
        Stop: [{ hooks: [other] }, { hooks: [other] }],
      },
    });
  });

  it("C2: brings hooks to the new path in their place, and does not add them again", async () => {
    const { run, fileOf } = scene();
    const file = fileOf(client, "hooks");
    await run([client, "--project", "atlas"]);
    const former = textOf(file);
    await run([client], { entry: "/else where/memspool/dist/main.js" });
    expect(textOf(file)).toBe(former.replaceAll(ENTRY, "/else where/memspool/dist/main.js"));
    expect(textOf(file)).toContain(`hook ${client} --project atlas`);
  });

  it("C2: a hook that only mentions memspool is not taken for ours", async () => {
    const { run, fileOf } = scene();
    const lines = [
      `echo ${NODE} ${ENTRY} hook ${client}`,
      `"${NODE}" "${ENTRY}" hook ${client} | tee log`,
      `"${NODE}" "${ENTRY}" hook another`,
      `"${NODE}" "/opt/other/index.js" hook ${client}`,
    ];
    const text = JSON.stringify({
      hooks: { Stop: [{ hooks: lines.map((command) => ({ type: "command", command })) }] },
    });
    const file = fileOf(client, "hooks");
    put(file, text);
    await run([client, "--uninstall"]);
    expect(textOf(file)).toBe(text);
  });
});

function isSubsequence(short: string, long: string): boolean {
  let at = 0;
  for (const unit of long) if (unit === short[at]) at++;
  return at === short.length || [...short.slice(at)].every((unit) => /\s/.test(unit));
}
