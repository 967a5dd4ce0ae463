/** Claude Desktop: one file for the whole application. */
import type { Client } from "./client.ts";
import { jsonServers } from "./json-servers.ts";

const servers = jsonServers({ key: "mcpServers", dialect: "json", typed: false });

export const claudeDesktop: Client = {
  id: "claude-desktop",
  title: "Claude Desktop",
  scopes: ["user"],
  traces: ({ applicationData, join }) => [join(applicationData(), "Claude")],
  targets: ({ applicationData, join }) => [
    {
      part: "server",
      path: join(applicationData(), "Claude", "claude_desktop_config.json"),
      edit: servers,
    },
  ],
  afterwards: [
    "Quit Claude Desktop, also from its tray or menu bar, and start it again.",
    "Check it under Settings, Developer: memspool is listed as running.",
  ],
};
