/** `memspool status`: what waits, who drains, what is stored, on one screen. */
import { Command } from "commander";
import type { StatusReport } from "../memory/memory.ts";
import type { CommandContext, GlobalOptions, RunCommand } from "./command-context.ts";
import { examples } from "./option-values.ts";
import { statusLines } from "./status-screen.ts";
import { exitCodeOfState, watchStatus } from "./watch.ts";

interface StatusOptions extends GlobalOptions {
  readonly watch?: boolean;
}

const WATCH_HELP =
  "--watch is a live view on a terminal, ended with q or Ctrl-C. Elsewhere it\n" +
  "prints every two seconds, with --json one document a line. Its exit code is\n" +
  "that of the last state.";

export function statusCommand(run: RunCommand): Command {
  const command = new Command("status")
    .description("Show queue, ingester and store; exit code 1 when degraded, 2 when failing")
    .option("--watch", "again and again, until q or Ctrl-C")
    .addHelpText(
      "after",
      `${examples("memspool status", "memspool status --json", "memspool status --watch")}\n\n${WATCH_HELP}`,
    );
  return command.action(() => {
    const options = command.optsWithGlobals<StatusOptions>();
    return run(options, (context) =>
      context.withApp(async ({ memory }) =>
        options.watch === true
          ? watchStatus(context, () => memory.status())
          : show(context, await memory.status()),
      ),
    );
  });
}

function show({ output }: CommandContext, status: StatusReport): number {
  if (output.json) output.document(status);
  else {
    const style: typeof output.style = (name, text) => output.style(name, text);
    const { columns, rows } = output.size;
    // The prompt comes back below it.
    for (const line of statusLines(status, { columns, rows: rows - 1, style })) output.line(line);
  }
  return exitCodeOfState(status.state);
}
