/** `memspool export`: every record as one line of JSON. */
import { Command } from "commander";
import { MemspoolError } from "../errors.ts";
import type { ExportResult } from "../memory/transfer/export.ts";
import { type CommandContext, EXIT_FAILED, EXIT_OK, type RunCommand } from "./command-context.ts";
import {
  addFilterOptions,
  type FilterOptions,
  filterOfNamedProject,
  withoutScope,
} from "./filter-options.ts";
import { examples } from "./option-values.ts";
import { counted, oneLine } from "./printable.ts";

interface ExportCommandOptions extends FilterOptions {
  readonly force?: boolean;
}

const STDOUT = "-";
const NOTHING: ExportResult = { exported: 0, duplicates: 0, quarantined: 0, unreadable: [] };

export function exportCommand(run: RunCommand): Command {
  const command = addFilterOptions(
    new Command("export")
      .description("Write records as lines of JSON, which memspool import takes in again")
      .argument("[file]", "where to; absent or - is stdout")
      .option("--force", "replace the file if it is there"),
  ).addHelpText(
    "after",
    `\nWithout filters everything is written, of all projects: what is stored, pending, spilled
and in quarantine. Exit code 1 if a record could not be read and is missing.\n${examples(
      "memspool export memory.ndjson",
      "memspool export --project atlas --since 2026-01-01 | gzip > atlas.ndjson.gz",
    )}`,
  );
  return command.action((file: string | undefined) => {
    const options = command.optsWithGlobals<ExportCommandOptions>();
    return run(withoutScope(options), (context) => exportLines(context, file, options));
  });
}

async function exportLines(
  context: CommandContext,
  argument: string | undefined,
  options: ExportCommandOptions,
): Promise<number> {
  const { output, signal } = context;
  const file = argument === STDOUT ? undefined : argument;
  if (file === undefined && output.json) {
    throw new MemspoolError(
      "INVALID_ARGUMENT",
      "With --json stdout has the summary, so the lines need a file. Name one, or leave --json out: " +
        "the lines are JSON anyway.",
    );
  }
  const filter = filterOfNamedProject(options);
  // Lines and a bar on one terminal would tear each other apart.
  const bar =
    file === undefined && output.terminal ? undefined : await output.progress("exporting");
  const target =
    file === undefined
      ? { sink: { write: (text: string) => output.piece(text) } }
      : { file, force: options.force === true };
  const result = await context.withApp((app) =>
    app
      .exportTo(target, {
        filter,
        signal,
        onProgress: (done, total) => bar?.update(done, total),
      })
      .catch((error: unknown) => {
        // It has what it wanted.
        if (output.readerLeft) return NOTHING;
        throw error;
      })
      .finally(() => bar?.stop()),
  );
  for (const name of result.unreadable) {
    output.note(`warning: ${oneLine(name)} can not be read and is missing`);
  }
  if (output.json) output.document(result);
  else if (file !== undefined) {
    output.line(`${counted(result.exported, "record")} exported to ${oneLine(file)}`);
    if (result.quarantined > 0) output.line(`${result.quarantined} of them from quarantine`);
  }
  return result.unreadable.length === 0 ? EXIT_OK : EXIT_FAILED;
}
