/** Zed: context servers in its settings, which hold comments and trailing commas. */
import type { Client } from "./client.ts";
import { jsonServers } from "./json-servers.ts";
import type { Places } from "./places.ts";

const servers = jsonServers({ key: "context_servers", dialect: "jsonc", typed: false });

export const zed: Client = {
  id: "zed",
  title: "Zed",
  scopes: ["user", "project"],
  traces: (places) => [directory(places)],
  targets: (places, scope) => [
    {
      part: "server",
      path: places.join(
        scope === "user" ? directory(places) : places.join(places.project, ".zed"),
        "settings.json",
      ),
      edit: servers,
    },
  ],
  afterwards: [
    "Zed takes it up when the file is saved.",
    "Check it in the settings of its agent panel: memspool has a green dot.",
  ],
};

function directory({ platform, variable, home, applicationData, join }: Places): string {
  if (platform === "win32") return join(applicationData(), "Zed");
  // On macOS it asks neither XDG_CONFIG_HOME nor Application Support.
  if (platform === "darwin") return join(home(), ".config", "zed");
  return join(variable("FLATPAK_XDG_CONFIG_HOME") ?? applicationData(), "zed");
}
