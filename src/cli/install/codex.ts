/** Codex: the server in config.toml, the hooks in hooks.json beside it. */
import type { Client } from "./client.ts";
import { jsonHooks } from "./json-hooks.ts";
import type { Places } from "./places.ts";
import { tomlServers } from "./toml-servers.ts";

const hooks = jsonHooks({
  client: "codex",
  shell: (platform) => (platform === "win32" ? "windows" : "posix"),
});

export const codex: Client = {
  id: "codex",
  title: "Codex",
  scopes: ["user", "project"],
  traces: (places) => [directory(places)],
  targets: (places, scope) => {
    const { join, project } = places;
    const below = scope === "user" ? directory(places) : join(project, ".codex");
    return [
      { part: "server", path: join(below, "config.toml"), edit: tomlServers },
      { part: "hooks", path: join(below, "hooks.json"), edit: hooks },
    ];
  },
  afterwards: [
    "Start Codex anew. It skips new hooks until you trust them: open /hooks there.",
    "Check the server with /mcp.",
    "Bring in what was said before: memspool import transcripts codex",
  ],
};

function directory({ variable, home, join }: Places): string {
  return variable("CODEX_HOME") ?? join(home(), ".codex");
}
