/** Where each client keeps its files, by platform and variable; and which node is written there. */
import { describe, expect, it } from "vitest";
import { CLIENTS } from "../../../src/cli/install/client-table.ts";
import { chooseNode, refuseTemporary } from "../../../src/cli/install/launch-paths.ts";
import { placesOf } from "../../../src/cli/install/places.ts";

type Env = Record<string, string>;

function paths(platform: NodeJS.Platform, env: Env, scope: "user" | "project" = "user") {
  const project = platform === "win32" ? "C:\\w\\atlas" : "/w/atlas";
  const places = placesOf(env, platform, project);
  const clients = CLIENTS.filter(({ scopes }) => scopes.includes(scope));
  return Object.fromEntries(
    clients.map(({ id, targets }) => [id, targets(places, scope).map(({ path }) => path)]),
  );
}

it("C2: the files of Linux", () => {
  expect(paths("linux", { HOME: "/h" })).toEqual({
    "claude-code": ["/h/.claude.json", "/h/.claude/settings.json"],
    "claude-desktop": ["/h/.config/Claude/claude_desktop_config.json"],
    cursor: ["/h/.cursor/mcp.json"],
    vscode: ["/h/.config/Code/User/mcp.json"],
    codex: ["/h/.codex/config.toml", "/h/.codex/hooks.json"],
    gemini: ["/h/.gemini/settings.json"],
    zed: ["/h/.config/zed/settings.json"],
  });
});

it("C2: the files of macOS", () => {
  const support = "/Users/u/Library/Application Support";
  // XDG_CONFIG_HOME means nothing to these applications there.
  expect(paths("darwin", { HOME: "/Users/u", XDG_CONFIG_HOME: "/xdg" })).toEqual({
    "claude-code": ["/Users/u/.claude.json", "/Users/u/.claude/settings.json"],
    "claude-desktop": [`${support}/Claude/claude_desktop_config.json`],
    cursor: ["/Users/u/.cursor/mcp.json"],
    vscode: [`${support}/Code/User/mcp.json`],
    codex: ["/Users/u/.codex/config.toml", "/Users/u/.codex/hooks.json"],
    gemini: ["/Users/u/.gemini/settings.json"],
    zed: ["/Users/u/.config/zed/settings.json"],
  });
});

it("C2: the files of Windows, whose variables do not mind their case", () => {
  const expected = {
    "claude-code": ["C:\\U\\u\\.claude.json", "C:\\U\\u\\.claude\\settings.json"],
    "claude-desktop": ["C:\\U\\u\\AppData\\Roaming\\Claude\\claude_desktop_config.json"],
    cursor: ["C:\\U\\u\\.cursor\\mcp.json"],
    vscode: ["C:\\U\\u\\AppData\\Roaming\\Code\\User\\mcp.json"],
    codex: ["C:\\U\\u\\.codex\\config.toml", "C:\\U\\u\\.codex\\hooks.json"],
    gemini: ["C:\\U\\u\\.gemini\\settings.json"],
    zed: ["C:\\U\\u\\AppData\\Roaming\\Zed\\settings.json"],
  };
  expect(paths("win32", { UserProfile: "C:\\U\\u" })).toEqual(expected);
  expect(paths("win32", { USERPROFILE: "C:\\U\\u", AppData: "D:\\R" })).toMatchObject({
    vscode: ["D:\\R\\Code\\User\\mcp.json"],
    zed: ["D:\\R\\Zed\\settings.json"],
  });
});

it("C2: the files of a project", () => {
  expect(paths("linux", { HOME: "/h" }, "project")).toEqual({
    "claude-code": ["/w/atlas/.mcp.json", "/w/atlas/.claude/settings.local.json"],
    cursor: ["/w/atlas/.cursor/mcp.json"],
    vscode: ["/w/atlas/.vscode/mcp.json"],
    codex: ["/w/atlas/.codex/config.toml", "/w/atlas/.codex/hooks.json"],
    gemini: ["/w/atlas/.gemini/settings.json"],
    zed: ["/w/atlas/.zed/settings.json"],
  });
});

it("C2: the variables with which clients move their directories", () => {
  const env = {
    HOME: "/h",
    XDG_CONFIG_HOME: "/xdg",
    CLAUDE_CONFIG_DIR: "/cc",
    CODEX_HOME: "/cx",
    GEMINI_CLI_HOME: "/gh",
  };
  expect(paths("linux", env)).toMatchObject({
    "claude-code": ["/cc/.claude.json", "/cc/settings.json"],
    "claude-desktop": ["/xdg/Claude/claude_desktop_config.json"],
    vscode: ["/xdg/Code/User/mcp.json"],
    codex: ["/cx/config.toml", "/cx/hooks.json"],
    gemini: ["/gh/.gemini/settings.json"],
    zed: ["/xdg/zed/settings.json"],
  });
  expect(paths("linux", { ...env, FLATPAK_XDG_CONFIG_HOME: "/fp" }).zed).toEqual([
    "/fp/zed/settings.json",
  ]);
  expect(paths("linux", { HOME: "/h", XDG_CONFIG_HOME: "relative" }).zed).toEqual([
    "/h/.config/zed/settings.json",
  ]);
});

describe("which node is written", () => {
  const disk = (links: Record<string, string>) => ({
    realpath: (path: string) => links[path] ?? (path in links ? path : undefined),
  });

  it.each([
    ["/opt/homebrew/Cellar/node/22.1.0/bin/node", "/opt/homebrew/opt/node/bin/node"],
    ["/usr/local/Cellar/node@20/20.20.2/bin/node", "/usr/local/opt/node@20/bin/node"],
    [
      "/h/.local/share/fnm/node-versions/v22.1.0/installation/bin/node",
      "/h/.local/share/fnm/aliases/default/bin/node",
    ],
    ["/usr/local/n/versions/node/22.1.0/bin/node", "/usr/local/bin/node"],
    [
      "/h/.local/share/mise/installs/node/22.1.0/bin/node",
      "/h/.local/share/mise/installs/node/latest/bin/node",
    ],
  ])("C2: %s by the name that follows upgrades", (execPath, steady) => {
    expect(chooseNode(execPath, disk({ [execPath]: execPath, [steady]: execPath }))).toEqual({
      node: steady,
    });
    // A name that leads to another version is not this node.
    const other = chooseNode(execPath, disk({ [execPath]: execPath, [steady]: "/another" }));
    expect(other.node).toBe(execPath);
    expect(other.warning).toContain("--node");
  });

  it.each([
    "/h/.nvm/versions/node/v20.20.2/bin/node",
    "C:\\Users\\u\\AppData\\Roaming\\nvm\\v20.20.2\\node.exe",
    "/h/.volta/tools/image/node/20.20.2/bin/node",
    "/h/.asdf/installs/nodejs/20.20.2/bin/node",
    "/h/.nodenv/versions/20.20.2/bin/node",
  ])("C2: %s with a warning that it may go", (execPath) => {
    const { node, warning } = chooseNode(execPath, disk({ [execPath]: execPath }));
    expect(node).toBe(execPath);
    expect(warning).toContain("one version of node");
  });

  it.each(["/usr/bin/node", "/usr/local/bin/node", "C:\\Program Files\\nodejs\\node.exe"])(
    "C2: %s as it is",
    (execPath) => expect(chooseNode(execPath, disk({}))).toEqual({ node: execPath }),
  );

  it("C2: an installed memspool is not taken for a temporary one", () => {
    for (const script of [
      "/usr/lib/node_modules/memspool/dist/main.js",
      "/home/u/npx/memspool/dist/main.js",
      "/home/u/dlx-tools/memspool/dist/main.js",
    ]) {
      expect(() => refuseTemporary(script)).not.toThrow();
    }
  });
});
