/** `memspool backup`: everything into a new directory, while servers go on. */
import { Command } from "commander";
import {
  type CommandContext,
  EXIT_FAILED,
  EXIT_OK,
  type GlobalOptions,
  type RunCommand,
} from "./command-context.ts";
import { examples } from "./option-values.ts";
import { phaseProgress } from "./phase-progress.ts";
import { counted, oneLine, shortBytes, shortDuration } from "./printable.ts";

interface BackupCommandOptions extends GlobalOptions {
  /** False for `--no-check`. */
  readonly check: boolean;
}

const SHOWN_MAX = 20;

export function backupCommand(run: RunCommand): Command {
  const command = new Command("backup")
    .description("Copy queue, archive and store into a new directory, while servers go on")
    .argument("<directory>", "where to; it must not be there yet, or be empty")
    .option("--no-check", "do not read the copy again")
    .addHelpText(
      "after",
      `\nconfig.json, logs, alerts and crash reports are not part of it. Exit code 1 if something that is
there could not be read and is missing.\n${examples(
        "memspool backup /mnt/backups/memspool-2026-03-01",
        'memspool backup "backup-$(date -u +%Y%m%d)" --json',
      )}`,
    );
  return command.action((directory: string) => {
    const options = command.optsWithGlobals<BackupCommandOptions>();
    return run(options, (context) => backup(context, directory, options));
  });
}

async function backup(
  context: CommandContext,
  directory: string,
  { check }: BackupCommandOptions,
): Promise<number> {
  const { output, signal } = context;
  const bars = await phaseProgress(output, {
    queue: "copying queue, files",
    store: "copying store, pages",
    check: "checking, files",
  });
  const result = await context.withApp(async (app) => {
    try {
      return await app.backUp(directory, { check, signal, onProgress: bars.update });
    } finally {
      bars.stop();
    }
  });
  const exitCode = result.skipped.length === 0 ? EXIT_OK : EXIT_FAILED;
  if (output.json) {
    output.document(result);
    return exitCode;
  }
  const size = `${counted(result.files, "file")}, ${shortBytes(result.bytes)}`;
  const checked = result.checked ? "checked" : "not checked";
  const took = shortDuration(result.ms);
  output.line(`${output.style("green", "backed up")} ${size}, ${checked}, in ${took}`);
  output.line(oneLine(result.directory));
  for (const { path, reason } of result.skipped.slice(0, SHOWN_MAX)) {
    output.note(`warning: ${oneLine(path)} is missing: it can not be read (${oneLine(reason)})`);
  }
  if (result.skipped.length > SHOWN_MAX) {
    output.note(`warning: ${result.skipped.length} files are missing; --json lists all`);
  }
  return exitCode;
}
