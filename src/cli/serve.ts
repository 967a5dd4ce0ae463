/** `memspool serve`: the MCP server on stdin and stdout. Plain calls take program.ts's short way. */
import { Command } from "commander";
import type { GlobalOptions, RunCommand } from "./command-context.ts";
import { examples } from "./option-values.ts";

export function serveCommand(run: RunCommand): Command {
  const command = new Command("serve")
    .description("Speak MCP on stdin and stdout (what memspool does when stdin is no terminal)")
    .addHelpText(
      "after",
      examples(
        "memspool serve",
        "claude mcp add memspool -- node /absolute/path/dist/main.js serve",
        "memspool serve --home /srv/memory --project atlas",
      ),
    );
  return command.action(() =>
    run(command.optsWithGlobals<GlobalOptions>(), async (context) => {
      const { config } = await context.loadConfig();
      const { serve } = await context.loadApp();
      return serve(config);
    }),
  );
}
