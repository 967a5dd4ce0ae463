/** VS Code: mcp.json of the default profile, or of a workspace. Both may hold comments. */
import type { Client } from "./client.ts";
import { jsonServers } from "./json-servers.ts";

const servers = jsonServers({ key: "servers", dialect: "jsonc", typed: true });

export const vscode: Client = {
  id: "vscode",
  title: "VS Code",
  scopes: ["user", "project"],
  traces: ({ applicationData, join }) => [join(applicationData(), "Code")],
  targets: ({ applicationData, join, project }, scope) => [
    {
      part: "server",
      path:
        scope === "user"
          ? join(applicationData(), "Code", "User", "mcp.json")
          : join(project, ".vscode", "mcp.json"),
      edit: servers,
    },
  ],
  afterwards: [
    "VS Code asks whether you trust the server when it first starts it.",
    'Check it with the command "MCP: List Servers".',
  ],
};
