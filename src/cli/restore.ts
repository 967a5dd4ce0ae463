/** `memspool restore`: a backup becomes the data directory. */
import { Command } from "commander";
import {
  type CommandContext,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples } from "./option-values.ts";
import { phaseProgress } from "./phase-progress.ts";
import { counted, oneLine, shortBytes, shortDuration, shortTime } from "./printable.ts";

interface RestoreCommandOptions extends GlobalOptions {
  readonly force?: boolean;
}

export function restoreCommand(run: RunCommand): Command {
  const command = new Command("restore")
    .description("Bring a backup into the data directory; no server may run on it")
    .argument("<backup>", "a directory that memspool backup made")
    .option("--force", "move records that are there to before-restore-<time>, and go on")
    .addHelpText(
      "after",
      `\nEvery file is proved against the backup's manifest before anything is changed.\n${examples(
        "memspool restore /mnt/backups/memspool-2026-03-01 --home ~/.memspool-restored",
        "memspool restore /mnt/backups/memspool-2026-03-01 --force",
      )}`,
    );
  return command.action((directory: string) => {
    const options = command.optsWithGlobals<RestoreCommandOptions>();
    return run(options, (context) => restore(context, directory, options.force === true));
  });
}

async function restore(
  context: CommandContext,
  directory: string,
  force: boolean,
): Promise<number> {
  const { output, signal } = context;
  const { config } = await context.loadConfig();
  // Not through createApp: it refuses a data directory that is half restored.
  const app = await context.loadApp();
  const bars = await phaseProgress(output, { check: "checking, files", copy: "copying, files" });
  const result = await app
    .restore(config, directory, { force, signal, onProgress: bars.update })
    .finally(() => bars.stop());
  if (output.json) {
    output.document(result);
    return EXIT_OK;
  }
  const size = `${counted(result.files, "file")}, ${shortBytes(result.bytes)}`;
  const took = shortDuration(result.ms);
  output.line(`${output.style("green", "restored")} ${size}, in ${took}`);
  output.line(`as of ${shortTime(result.created_at)}`);
  if (result.moved_aside !== undefined) {
    output.line(`what was there before: ${oneLine(result.moved_aside)}`);
  }
  return EXIT_OK;
}
