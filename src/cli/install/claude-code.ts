/** Claude Code: the server in its own state file, the hooks in its settings. */
import type { Client } from "./client.ts";
import { jsonHooks } from "./json-hooks.ts";
import { jsonServers } from "./json-servers.ts";
import type { Places } from "./places.ts";

const servers = jsonServers({ key: "mcpServers", dialect: "json", typed: true });
/** It runs hooks with sh, and with Git Bash on Windows. */
const hooks = jsonHooks({ client: "claude-code", shell: () => "posix" });

export const claudeCode: Client = {
  id: "claude-code",
  title: "Claude Code",
  scopes: ["user", "project"],
  traces: (places) => [configDirectory(places), stateFile(places)],
  targets: (places, scope) => {
    const { join, project } = places;
    return scope === "user"
      ? [
          { part: "server", path: stateFile(places), edit: servers },
          { part: "hooks", path: join(configDirectory(places), "settings.json"), edit: hooks },
        ]
      : [
          { part: "server", path: join(project, ".mcp.json"), edit: servers },
          // The local one, which is not committed: the paths are those of this machine.
          { part: "hooks", path: join(project, ".claude", "settings.local.json"), edit: hooks },
        ];
  },
  afterwards: [
    "Start a new session of Claude Code; one that runs does not see it.",
    "Check it with /mcp, and the hooks with /hooks.",
    "Bring in what was said before: memspool import transcripts claude-code",
  ],
};

function configDirectory({ variable, home, join }: Places): string {
  return variable("CLAUDE_CONFIG_DIR") ?? join(home(), ".claude");
}

/** Beside the default directory, but inside one that was chosen. */
function stateFile({ variable, home, join }: Places): string {
  return join(variable("CLAUDE_CONFIG_DIR") ?? home(), ".claude.json");
}
