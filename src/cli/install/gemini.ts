/** Gemini CLI: one settings file for the user and one for a project. Both may hold comments. */
import type { Client } from "./client.ts";
import { jsonServers } from "./json-servers.ts";
import type { Places } from "./places.ts";

const servers = jsonServers({ key: "mcpServers", dialect: "jsonc", typed: false });

export const gemini: Client = {
  id: "gemini",
  title: "Gemini CLI",
  scopes: ["user", "project"],
  traces: ({ join, ...places }) => [join(userDirectory(places), ".gemini")],
  targets: ({ join, project, ...places }, scope) => [
    {
      part: "server",
      path: join(scope === "user" ? userDirectory(places) : project, ".gemini", "settings.json"),
      edit: servers,
    },
  ],
  afterwards: ["Start Gemini CLI anew.", "Check it with /mcp."],
};

/** It takes the variable for another user's directory. */
function userDirectory({ variable, home }: Pick<Places, "variable" | "home">): string {
  return variable("GEMINI_CLI_HOME") ?? home();
}
