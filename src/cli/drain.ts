/** `memspool drain`: brings everything pending into the store, in this process, and says how far. */
import { Command } from "commander";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples } from "./option-values.ts";
import { oneLine, shortDuration } from "./printable.ts";

export function drainCommand(run: RunCommand): Command {
  const command = new Command("drain")
    .description("Bring all pending records into the store now, here; exit code 1 if some stay")
    .addHelpText("after", examples("memspool drain", "memspool drain --json"));
  return command.action(() => run(command.optsWithGlobals<GlobalOptions>(), drain));
}

async function drain(context: CommandContext): Promise<number> {
  const { output, signal } = context;
  const bar = await output.progress("draining");
  const result = await context.withApp(async (app) => {
    try {
      return await app.drain({
        signal,
        onProgress: ({ drained, total }) => bar.update(drained, total),
      });
    } finally {
      bar.stop();
    }
  });
  const exitCode = result.remaining === 0 && result.quarantined === 0 ? EXIT_OK : EXIT_FAILED;
  if (output.json) {
    output.document(result);
    return exitCode;
  }
  output.line(`${result.drained} drained in ${shortDuration(result.ms)}`);
  if (result.quarantined > 0) {
    output.line(`${result.quarantined} quarantined; see why: memspool quarantine list`);
  }
  if (result.remaining > 0) {
    const why = result.reason === undefined ? "" : `: ${oneLine(result.reason)}`;
    output.line(`${result.remaining} still pending, safe in the queue${why}`);
  }
  return exitCode;
}
