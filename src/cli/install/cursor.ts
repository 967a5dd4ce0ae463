/** Cursor: the same file in the user's directory and in a project. */
import type { Client } from "./client.ts";
import { jsonServers } from "./json-servers.ts";

const servers = jsonServers({ key: "mcpServers", dialect: "jsonc", typed: true });

export const cursor: Client = {
  id: "cursor",
  title: "Cursor",
  scopes: ["user", "project"],
  traces: ({ home, join }) => [join(home(), ".cursor")],
  targets: ({ home, join, project }, scope) => [
    {
      part: "server",
      path: join(scope === "user" ? home() : project, ".cursor", "mcp.json"),
      edit: servers,
    },
  ],
  afterwards: ["Restart Cursor.", "Check it in its list of MCP servers, and switch it on there."],
};
